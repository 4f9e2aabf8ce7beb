// The pages work without this. With it, the time zone is guessed, conditions are suggested, countries are found, and the mailbox looks again.
"use strict";

function guessTimeZone() {
  const select = document.getElementById("time_zone");
  const guess = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (!select) return;
  if (select.dataset.guess === "yes" && guess) {
    if (![...select.options].some((option) => option.value === guess)) {
      select.add(new Option(guess.replaceAll("_", " "), guess));
    }
    select.value = guess;
  }
  showTimeZone(select);
}

// The zone in plain words, and the list of all zones behind a button.
function showTimeZone(select) {
  const shown = document.createElement("p"), change = document.createElement("button");
  const zone = select.value.replaceAll("_", " "), field = select.closest(".field");
  const place = Object.assign(document.createElement("strong"), { textContent: zone.split("/").at(-1) });
  Object.assign(change, { type: "button", className: "press quiet small", textContent: select.dataset.change });
  shown.className = "zone-told";
  shown.append(select.dataset.told, " ", place, " ", change);
  const list = Object.assign(document.createElement("div"), { hidden: true });
  list.append(...field.childNodes);
  field.append(list, shown);
  // Where the field is folded away, the zone is told beside what unfolds it.
  const note = select.closest("form").querySelector("[data-zone]");
  const tell = () => { note.textContent = `${select.dataset.told} ${select.value.replaceAll("_", " ").split("/").at(-1)}`; };
  if (note) {
    tell();
    select.addEventListener("change", tell);
  }
  change.addEventListener("click", () => {
    shown.remove();
    list.hidden = false;
    select.focus();
  });
}

// A field with suggestions under it, after the combobox pattern of the ARIA Authoring Practices.
function suggestConditions(input) {
  const made = (tag, values) => Object.assign(document.createElement(tag), values);
  const list = made("ul", { id: `${input.id}-offers`, className: "offers", hidden: true });
  const told = made("p", { className: "unseen" });
  const box = made("span", { className: "combo" });
  let timer = 0, asked = 0, at = -1;
  list.setAttribute("role", "listbox");
  list.setAttribute("aria-label", input.dataset.label);
  told.setAttribute("role", "status");
  input.replaceWith(box);
  box.append(input, list, told);
  const said = { role: "combobox", "aria-autocomplete": "list", "aria-expanded": "false", "aria-controls": list.id };
  for (const [name, value] of Object.entries(said)) input.setAttribute(name, value);

  function show(open) {
    list.hidden = !open;
    input.setAttribute("aria-expanded", String(open));
    if (!open) move(-1);
  }
  function move(to) {
    at = to;
    [...list.children].forEach((offer, place) => offer.setAttribute("aria-selected", String(place === at)));
    if (at < 0) input.removeAttribute("aria-activedescendant");
    else input.setAttribute("aria-activedescendant", list.children[at].id);
    if (at >= 0) list.children[at].scrollIntoView({ block: "nearest" });
  }
  function close() {
    clearTimeout(timer);
    asked += 1;
    show(false);
  }
  function pick(offer) {
    input.value = offer.dataset.name;
    close();
    input.dispatchEvent(new Event("change", { bubbles: true }));
    if (input.dataset.go) location.assign(offer.dataset.page);
  }
  async function ask() {
    const number = (asked += 1);
    const body = new URLSearchParams({ q: input.value.trim() });
    const answer = await fetch(input.dataset.suggest, { method: "POST", body }).catch(() => null);
    if (!answer || !answer.ok || number !== asked) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (number !== asked) return;
    const offers = [...page.querySelectorAll("li")];
    offers.forEach((offer, place) => {
      offer.id = `${list.id}-${place}`;
      offer.setAttribute("role", "option");
    });
    list.replaceChildren(...offers);
    told.textContent = page.querySelector("p").textContent;
    move(-1);
    show(offers.length > 0);
  }
  input.addEventListener("input", () => {
    close();
    if (input.value.trim().length >= 2) timer = setTimeout(ask, 200);
  });
  input.addEventListener("keydown", (event) => {
    const many = list.children.length;
    if (event.key === "Escape" && !list.hidden) close();
    else if (event.key === "Enter" && at >= 0) pick(list.children[at]);
    else if (event.key === "ArrowDown" && many) (show(true), move((at + 1) % many));
    else if (event.key === "ArrowUp" && many) (show(true), move(at <= 0 ? many - 1 : at - 1));
    else return;
    event.preventDefault();
  });
  // Before the field loses the focus, which closes the list.
  list.addEventListener("mousedown", (event) => event.preventDefault());
  list.addEventListener("click", (event) => {
    const offer = event.target.closest("li");
    if (offer) pick(offer);
  });
  input.addEventListener("blur", close);
}

// Several choices in one list: a press adds or takes away, and typing shortens the list.
function easeSeveral() {
  for (const list of document.querySelectorAll("select.several")) {
    list.addEventListener("mousedown", (event) => {
      if (event.target.tagName !== "OPTION") return;
      event.preventDefault();
      const top = list.scrollTop;
      event.target.selected = !event.target.selected;
      list.focus();
      requestAnimationFrame(() => { list.scrollTop = top; });
    });
    const find = document.querySelector(`[data-find="${list.id}"]`);
    find.hidden = false;
    find.addEventListener("input", () => {
      const words = find.value.trim().toLocaleLowerCase();
      for (const one of list.options) one.hidden = !one.selected && !one.text.toLocaleLowerCase().includes(words);
    });
    find.addEventListener("keydown", (event) => { if (event.key === "Enter") event.preventDefault(); });
  }
  for (const one of document.querySelectorAll("[data-without-script]")) one.hidden = true;
}

function keepLooking() {
  const place = document.querySelector("[data-refresh]");
  if (!place) return;
  setInterval(async () => {
    if (document.hidden) return;
    try {
      const answer = await fetch(place.dataset.refresh);
      if (!answer.ok) return;
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById(place.id);
      if (fresh && fresh.innerHTML !== place.innerHTML) place.replaceChildren(...fresh.childNodes);
    } catch {
      // The service is being restarted; the next look will tell.
    }
  }, 2000);
}

function showErrors() {
  const summary = document.getElementById("errors");
  if (summary) summary.focus();
}

guessTimeZone();
document.querySelectorAll("[data-suggest]").forEach(suggestConditions);
easeSeveral();
keepLooking();
showErrors();
