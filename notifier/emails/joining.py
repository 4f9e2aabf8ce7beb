"""Joins a digest, as it is sent, from parts that were rendered and encoded before: frame, sections and studies.

What it gives is byte for byte what `templates.render_digest` gives, which renders and encodes the whole mail.
"""

from notifier.emails.framing import FORMS
from notifier.emails.shaping import Shaped, ToldBlock
from notifier.emails.templates import Format, QuotedMail


def join_digest(shaped: Shaped) -> QuotedMail:
    """The mail of a digest: its parts, the reader's own links in their gaps."""
    if shaped.frame is None:
        assert shaped.whole is not None
        return shaped.whole
    opening, closing, digest = shaped.frame.opening, shaped.frame.closing, shaped.digest
    text, html = [*opening.parts["txt"]], [*opening.parts["html"]]
    for block in shaped.blocks:
        _join_block(block, text, html)
    links = (digest.preferences_url.encode(), digest.unsubscribe_url.encode())
    text.append(closing.moulds["txt"].fill(links))
    html.append(closing.moulds["html"].fill(links))
    return QuotedMail(subject=opening.subject, text=b"".join(text), html=b"".join(html))


def _join_block(block: ToldBlock, text: list[bytes], html: list[bytes]) -> None:
    """Add a section to both forms of a mail."""
    shell, end = block.shell, (block.end,)
    text.append(shell.text_head)
    html.append(shell.html_head)
    if block.studies[0][0].own is None:
        _join_runs(block, text, html)
    else:
        for form, parts in zip(FORMS, (text, html), strict=True):
            _join_own(block, form, parts)
    if block.end:
        text.append(shell.text_end.fill(end))
        html.append(shell.html_end.fill(end))


def _join_runs(block: ToldBlock, text: list[bytes], html: list[bytes]) -> None:
    """Studies of one condition, all those of one shape together."""
    runs, text_last, html_last = block.shell.around.runs(block.shapes)
    for (text_before, text_between, html_before, html_between), shape, studies in zip(
        runs, block.shapes, block.studies, strict=True
    ):
        text += (text_before, *studies[0].text[shape])
        html += (html_before, *studies[0].html[shape])
        for study in studies[1:]:
            text += (text_between, *study.text[shape])
            html += (html_between, *study.html[shape])
    text.append(text_last)
    html.append(html_last)


def _join_own(block: ToldBlock, form: Format, parts: list[bytes]) -> None:
    """Studies that are followed one by one, each with the link that ends it."""
    told = [(shape, study) for shape, studies in zip(block.shapes, block.studies, strict=True) for study in studies]
    around = block.shell.around
    parts.append(around.between(form, block.shapes, told[0][1].own).first)
    for at, (shape, study) in enumerate(told, start=1):
        between = around.between(form, block.shapes, study.own)
        after = between.after[shape, told[at][0]] if at < len(told) else between.last
        parts += (*(study.text if form == "txt" else study.html)[shape], after.fill(study.texts))
