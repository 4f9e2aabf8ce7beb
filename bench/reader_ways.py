"""How people use the pages in a browser: with a mouse, with a keyboard only, by touch; in the language they chose."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Locator, Page, Request

from notifier.emails.catalogs import translated

LIGHT_DESK: dict[str, object] = {"viewport": {"width": 1280, "height": 900}, "color_scheme": "light"}
DARK_PHONE: dict[str, object] = {
    "viewport": {"width": 360, "height": 740},
    "color_scheme": "dark",
    "has_touch": True,
    "is_mobile": True,
}
MOST_TABS = 400
_IS_FOCUSED = "element => element === element.ownerDocument.activeElement"
# Where the focus is, whether one sees it, and whether what has it can be seen.
_FOCUS = """() => {
  const at = document.activeElement, style = getComputedStyle(at), box = at.getBoundingClientRect();
  const ring = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
  const seen = box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth;
  const none = at === document.body || at === document.documentElement || at.tagName === "IFRAME";
  return none || (ring && seen) ? "" : at.outerHTML.slice(0, 200);
}"""

Role = Literal["button", "link", "checkbox", "radio", "textbox", "combobox", "searchbox"]


class Unusable(AssertionError):
    """Somebody would have stood before this page and not got any further."""


@dataclass(kw_only=True)
class Way:
    """One person before one browser; ``faults`` is what went wrong unseen: errors, and requests to elsewhere."""

    page: Page
    language: str
    scripted: bool
    own: tuple[str, ...]
    faults: list[str] = field(default_factory=list)

    def told(self, words: str) -> str:
        """What stands on the page for these English words."""
        return translated(words, self.language)

    def find(self, role: Role, words: str, *, within: Locator | None = None) -> Locator:
        """The first thing on the page of this kind that is called so, whatever else its name says."""
        return (within or self.page).get_by_role(role, name=self.told(words)).first

    def press(self, words: str, *, role: Role = "button", within: Locator | None = None) -> None:
        """Press what is called so and wait for the page that comes."""
        with self.page.expect_navigation():
            self.use(self.find(role, words, within=within))

    def unfold(self, words: str, *, within: Locator | None = None) -> None:
        """Open what is folded away."""
        self.use((within or self.page).locator("summary", has_text=self.told(words)).first)

    def use(self, target: Locator) -> None:
        """Press, tick or follow something."""
        target.click()

    def choose(self, target: Locator) -> None:
        """Choose one of several that exclude each other."""
        self.use(target)

    def write(self, target: Locator, text: str) -> None:
        """Fill in a field."""
        target.fill(text)

    def pick(self, target: Locator, value: str) -> None:
        """Choose from a list, by the value behind it."""
        target.select_option(value)

    def watch(self, context: BrowserContext) -> None:
        """Note what nobody sees: messages on the console, errors in scripts, requests that leave our servers."""
        context.on("console", self._hear)
        context.on("weberror", lambda error: self.faults.append(f"script: {error.error}"))
        context.on("request", self._follow)

    def _hear(self, message: ConsoleMessage) -> None:
        # The browser says so of each answer that is one: an error shown on purpose.
        if message.type in ("error", "warning") and "the server responded with a status of 4" not in message.text:
            self.faults.append(f"console: {message.text}")

    def _follow(self, request: Request) -> None:
        if not request.url.startswith((*self.own, "data:", "blob:", "about:")):
            self.faults.append(f"asked elsewhere: {request.url}")


class Touch(Way):
    """A finger on a small screen."""

    def use(self, target: Locator) -> None:
        target.tap()


class Keyboard(Way):
    """No mouse: Tab, Enter, Space, arrows, and letters; complains where the focus cannot be seen."""

    def use(self, target: Locator) -> None:
        self._reach(target)
        kind = target.evaluate("element => element.type || element.tagName")
        self.page.keyboard.press("Space" if kind in ("checkbox", "radio") else "Enter")

    def choose(self, target: Locator) -> None:
        # Of radio buttons only the chosen one, or the first, is on the way of the Tab key.
        group = target.evaluate_handle(
            "one => [...one.form.elements].filter(other => other.name === one.name && other.type === 'radio')"
        )
        self._tab_until(lambda: bool(group.evaluate("all => all.includes(document.activeElement)")), str(target))
        for _ in range(10):
            if target.is_checked():
                return
            self.page.keyboard.press("ArrowDown")
        raise Unusable(f"no arrow leads to {target}")

    def write(self, target: Locator, text: str) -> None:
        self._reach(target)
        self.page.keyboard.press("ControlOrMeta+a")
        self.page.keyboard.press("Delete")
        self.page.keyboard.type(text)

    def pick(self, target: Locator, value: str) -> None:
        self._reach(target)
        many = target.locator("option").count()
        self.page.keyboard.press("Home")
        for _ in range(many):
            if target.input_value() == value:
                return
            self.page.keyboard.press("ArrowDown")
        raise Unusable(f"no arrow leads to {value} in {target}")

    def _reach(self, target: Locator) -> None:
        self._tab_until(lambda: bool(target.evaluate(_IS_FOCUSED)), str(target))

    def _tab_until(self, is_there: Callable[[], bool], wanted: str) -> None:
        for _ in range(MOST_TABS):
            if is_there():
                return
            self.page.keyboard.press("Tab")
            lost = self.page.evaluate(_FOCUS)
            if lost:
                raise Unusable(f"the focus is not seen on {lost}")
        raise Unusable(f"the Tab key does not lead to {wanted}")


def begin(
    browser: Browser,
    kind: type[Way],
    *,
    own: tuple[str, ...],
    screen: Mapping[str, object] = LIGHT_DESK,
    language: str = "en",
    scripted: bool = True,
) -> Way:
    """Somebody opens a browser.

    Args:
        browser: the program.
        kind: how they use it.
        own: the beginnings of the addresses that may be asked.
        screen: what they see it on.
        language: what their browser asks for.
        scripted: whether JavaScript is on.
    """
    context = browser.new_context(
        locale=language,
        timezone_id="Europe/Lisbon",
        java_script_enabled=scripted,
        **screen,  # type: ignore[arg-type]
    )
    context.set_default_timeout(60_000)
    way = kind(page=context.new_page(), language=language, scripted=scripted, own=own)
    way.watch(context)
    return way
