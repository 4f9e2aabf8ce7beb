// Puts the form in the place of the script that loads this, in a frame that is as high as what it shows.
(() => {
  "use strict";
  const words = {/* words */};
  const script = document.currentScript;
  const { study = "", condition = "", language = "", site = "" } = script.dataset;
  const service = new URL(script.src).origin;
  const said = words[language.slice(0, 2).toLowerCase()] || words[document.documentElement.lang.slice(0, 2)] || words.en;
  const patience = 5_000;

  function addressOf(path, values) {
    const address = new URL(path, service);
    for (const [name, value] of Object.entries(values)) if (value) address.searchParams.set(name, value);
    return address.href;
  }
  const address = addressOf("/embed", { study, condition, lang: language, site, origin: location.origin });
  const frame = document.createElement("iframe");
  let heard = false, triedAgain = false, timer = 0;

  function greet() {
    heard = false;
    frame.contentWindow.postMessage({ notifier: "hello" }, service);
    clearTimeout(timer);
    timer = setTimeout(giveUpOrTryAgain, patience);
  }
  function giveUpOrTryAgain() {
    if (heard || !frame.isConnected) return;
    if (!triedAgain) {
      triedAgain = true;
      frame.src = address;
      return;
    }
    const link = document.createElement("a");
    link.href = addressOf("/subscribe", { trial: study, condition, lang: language });
    link.textContent = said.link;
    frame.removeEventListener("load", greet);
    frame.replaceWith(link);
  }
  addEventListener("message", ({ source, origin, data }) => {
    if (origin !== service || source !== frame.contentWindow || !data || data.notifier !== "height") return;
    heard = true;
    const height = Number(data.height);
    if (height > 0 && height < 20_000) frame.style.height = `${Math.ceil(height)}px`;
    if (data.answered) frame.scrollIntoView({ block: "nearest" });
  });
  frame.title = said.title;
  frame.loading = "lazy";
  frame.referrerPolicy = "no-referrer";
  Object.assign(frame.style, { display: "block", width: "100%", height: "46rem", border: "0" });
  frame.addEventListener("load", greet);
  frame.src = address;
  script.after(frame);
})();
