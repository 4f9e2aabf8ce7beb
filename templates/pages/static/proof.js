// Computes the proof of work that goes with a form, in a worker, while it is filled in. Forms are taken without it too,
// only fewer; so whatever fails here, the form is sent.
"use strict";

if (typeof document === "undefined") {
  addEventListener("message", ({ data }) => postMessage(solve(data)));
} else {
  const source = document.currentScript.src;
  document.querySelectorAll("[data-proof]").forEach((field) => attend(field, source));
}

function solve({ algorithm, challenge, maxNumber, salt, signature }) {
  if (algorithm !== "SHA-256") return "";
  const digest = sha256();
  const wanted = challenge.match(/.{8}/g).map((word) => parseInt(word, 16) | 0);
  for (let number = 0; number <= maxNumber; number += 1) {
    const words = digest(salt + number);
    if (words[0] === wanted[0] && words.every((word, place) => word === wanted[place])) {
      return btoa(JSON.stringify({ algorithm, challenge, number, salt, signature }));
    }
  }
  return "";
}

// FIPS 180-4, for ASCII. The browser's own needs TLS, and its way to and from each short text takes longer than this.
function sha256() {
  const primes = [];
  for (let one = 2; primes.length < 64; one += 1) if (primes.every((prime) => one % prime)) primes.push(one);
  const fraction = (number) => ((number - Math.floor(number)) * 2 ** 32) | 0;
  const constants = Int32Array.from(primes, (prime) => fraction(Math.cbrt(prime)));
  const begin = Int32Array.from(primes.slice(0, 8), (prime) => fraction(Math.sqrt(prime)));
  const state = new Int32Array(8), w = new Int32Array(64);
  const turned = (word, by) => (word >>> by) | (word << (32 - by));

  function take(bytes, at) {
    for (let t = 0; t < 16; t += 1) {
      const i = at + 4 * t;
      w[t] = (bytes[i] << 24) | (bytes[i + 1] << 16) | (bytes[i + 2] << 8) | bytes[i + 3];
    }
    for (let t = 16; t < 64; t += 1) {
      const x = w[t - 15], y = w[t - 2];
      w[t] = (turned(y, 17) ^ turned(y, 19) ^ (y >>> 10)) + w[t - 7] + (turned(x, 7) ^ turned(x, 18) ^ (x >>> 3)) + w[t - 16];
    }
    let [a, b, c, d, e, f, g, h] = state;
    for (let t = 0; t < 64; t += 1) {
      const one = (h + (turned(e, 6) ^ turned(e, 11) ^ turned(e, 25)) + ((e & f) ^ (~e & g)) + constants[t] + w[t]) | 0;
      const two = ((turned(a, 2) ^ turned(a, 13) ^ turned(a, 22)) + ((a & b) ^ (a & c) ^ (b & c))) | 0;
      h = g; g = f; f = e; e = (d + one) | 0; d = c; c = b; b = a; a = (one + two) | 0;
    }
    state[0] += a; state[1] += b; state[2] += c; state[3] += d;
    state[4] += e; state[5] += f; state[6] += g; state[7] += h;
  }
  return (text) => {
    const bytes = new Uint8Array(((text.length + 8) >> 6) * 64 + 64);
    for (let at = 0; at < text.length; at += 1) bytes[at] = text.charCodeAt(at);
    bytes[text.length] = 0x80;
    new DataView(bytes.buffer).setUint32(bytes.length - 4, text.length * 8);
    state.set(begin);
    for (let at = 0; at < bytes.length; at += 64) take(bytes, at);
    return state;
  };
}

function attend(field, source) {
  if (!window.Worker) return;
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
    // As long as this event lasts, the form cannot be submitted again.
    await new Promise((done) => setTimeout(done));
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
