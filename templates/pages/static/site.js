// The pages work without this. With it, the time zone is guessed, conditions are suggested, countries are found, and the mailbox looks again.
"use strict";

function guessTimeZone() {
  const select = document.getElementById("time_zone");
  const guess = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (!select || select.dataset.guess !== "yes" || !guess) return;
  if (![...select.options].some((option) => option.value === guess)) {
    select.add(new Option(guess.replaceAll("_", " "), guess));
  }
  select.value = guess;
}

function suggestConditions(inputId) {
  const input = document.getElementById(inputId);
  const list = input && input.getAttribute("list") && document.getElementById(input.getAttribute("list"));
  if (!list) return;
  let timer = 0;
  input.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(async () => {
      if (input.value.trim().length < 2) return;
      const answer = await fetch(`/api/v1/conditions?q=${encodeURIComponent(input.value.trim())}`);
      if (!answer.ok) return;
      const found = await answer.json();
      list.replaceChildren(...found.conditions.map((one) => new Option(one.name, one.name)));
    }, 200);
  });
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
suggestConditions("condition");
suggestConditions("q");
easeSeveral();
keepLooking();
showErrors();
