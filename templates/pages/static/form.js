// The form works without this. With it, what a choice would bring is shown as one chooses.
"use strict";

(() => {
  const place = document.querySelector("[data-outlook]"), told = document.getElementById("outlook-told");
  const form = place && place.closest("form");
  if (!form) return;
  let timer = 0, asked = 0, before = "";

  // Without what says who it is: nobody needs that for a look.
  function chosen() {
    const fields = new URLSearchParams(new FormData(form));
    for (const name of ["email", "website", "consent", "consent_health", "proof"]) fields.delete(name);
    fields.set("part", "outlook");
    return fields;
  }
  function isAsked(fields) {
    const follows = !fields.has("intents") || fields.has("follow_condition");
    return follows && Boolean((fields.get("condition_choice") || fields.get("condition") || "").trim());
  }
  function show(nodes) {
    place.replaceChildren(...nodes);
    const words = place.querySelector("[data-told], .hint");
    told.textContent = words ? words.textContent.replace(/\s+/g, " ").trim() : "";
  }
  async function ask() {
    const body = chosen(), number = (asked += 1);
    if (body.toString() === before) return;
    before = body.toString();
    if (!isAsked(body)) return show([]);
    const answer = await fetch(place.dataset.outlook, { method: "POST", body }).catch(() => null);
    if (number !== asked || !answer || !answer.ok) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (number === asked) show(page.body.childNodes);
  }
  form.addEventListener("change", (event) => {
    const { name, value } = event.target;
    if (["email", "consent", "consent_health", "accept_unknown"].includes(name)) return;
    // What else was meant stands for what was typed, and the list of it goes.
    if (name === "condition_choice") document.getElementById("condition").value = value;
    clearTimeout(timer);
    timer = setTimeout(ask, 250);
  });
  for (const one of form.querySelectorAll("[formaction]")) one.remove();
  if (isAsked(chosen()) && !place.firstElementChild) ask();
})();
