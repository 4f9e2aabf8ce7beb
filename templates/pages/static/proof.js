// Computes the proof of work that goes with a form, in a worker, while it is filled in. Forms are taken without it too,
// only fewer; so whatever fails here, the form is sent.
"use strict";

if (typeof document === "undefined") {
  addEventListener("message", async ({ data }) => postMessage(await solve(data)));
} else {
  const source = document.currentScript.src;
  document.querySelectorAll("[data-proof]").forEach((field) => attend(field, source));
}

async function solve({ algorithm, challenge, maxNumber, salt, signature }) {
  const text = new TextEncoder();
  const wanted = Uint8Array.from(challenge.match(/../g), (pair) => parseInt(pair, 16));
  const isRight = (hash) => new Uint8Array(hash).every((byte, place) => byte === wanted[place]);
  const several = 128;
  for (let start = 0; start <= maxNumber; start += several) {
    const numbers = Array.from({ length: Math.min(several, maxNumber - start + 1) }, (_, place) => start + place);
    const hashes = await Promise.all(numbers.map((number) => crypto.subtle.digest(algorithm, text.encode(salt + number))));
    const found = hashes.findIndex(isRight);
    if (found >= 0) return btoa(JSON.stringify({ algorithm, challenge, number: start + found, salt, signature }));
  }
  return "";
}

function attend(field, source) {
  // Browsers without Web Crypto, and pages without TLS, go without.
  if (!window.isSecureContext || !window.Worker || !crypto.subtle) return;
  const form = field.form, told = form.querySelector("[data-wait]");
  const freshFor = 20 * 60_000, patience = 20_000, pressedTwiceWithin = 5_000;
  let answer = null, askedAt = 0, state = "waiting";

  function begin() {
    if (answer && Date.now() - askedAt < freshFor) return answer;
    askedAt = Date.now();
    answer = fetchAndSolve(field.dataset.proof, source).catch(() => "");
    return answer;
  }
  function startOver() {
    answer = null;
    state = "waiting";
    field.value = told.textContent = "";
  }
  async function send(event) {
    // Another button of the form only asks for something to be shown.
    if (event.submitter && event.submitter.hasAttribute("formaction")) return;
    if (state === "sending") {
      state = "sent";
      setTimeout(startOver, pressedTwiceWithin);
      return;
    }
    event.preventDefault();
    if (state !== "waiting") return;
    state = "proving";
    told.textContent = told.dataset.wait;
    field.value = await Promise.race([begin(), new Promise((done) => setTimeout(done, patience, ""))]);
    state = "sending";
    form.requestSubmit(event.submitter);
    if (state === "sending") startOver();
  }
  form.addEventListener("focusin", begin, { once: true });
  form.addEventListener("submit", send);
  addEventListener("pageshow", ({ persisted }) => { if (persisted) startOver(); });
}

async function fetchAndSolve(address, source) {
  const given = await fetch(address, { cache: "no-store", credentials: "omit" });
  if (!given.ok) return "";
  const challenge = await given.json();
  const worker = new Worker(source);
  try {
    return await new Promise((done, failed) => {
      worker.addEventListener("message", ({ data }) => done(data));
      worker.addEventListener("error", failed);
      worker.postMessage(challenge);
    });
  } finally {
    worker.terminate();
  }
}
