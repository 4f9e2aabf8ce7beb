# The service for production: only what requirements.lock names, and nothing to compile.
FROM python:3.12-slim
ENV PYTHONUNBUFFERED=1
WORKDIR /app

COPY requirements.lock ./
RUN pip install --no-cache-dir --require-hashes -r requirements.lock

COPY pyproject.toml README.md LICENSE ./
COPY notifier ./notifier
COPY templates ./templates
RUN pip install --no-cache-dir --no-deps --no-build-isolation .

# Where a volume for the log of who left is put; its user writes nowhere else.
RUN mkdir --mode=0777 departures
USER nobody
EXPOSE 8000
CMD ["notifier", "web"]
