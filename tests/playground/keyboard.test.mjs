// The playground for who has no mouse and for who does not see it: every control is reached with Tab and shows that it has the
// focus, the focus stays where something was answered or drawn anew, and what is read out has a bound.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { closeBrowser, noBrowser } from "../support/browser.mjs";
import { opened } from "../support/playground-pages.mjs";
import { ask, events, ran } from "../support/playgrounds.mjs";

const it = (name, body) => test(name, { timeout: 180_000, skip: noBrowser }, body);
after(closeBrowser);

/** What axe finds, in light and dark. */
async function found(page) {
  const both = [];
  for (const scheme of ["light", "dark"]) {
    await page.prefer(scheme);
    both.push(...(await page.axe()).map((line) => `${scheme}: ${line}`));
  }
  return both;
}

/** What stands for an element in lists. */
const named = `(e) => e.id || e.getAttribute("aria-label") || e.textContent.trim() || e.className`;
/** Everything that is seen and takes part: of a list of tabs the one that is shown, of the terminal its field. */
const controls = `[...document.querySelectorAll("a, button, input, select, textarea, [tabindex]")]
  .filter((e) => e.tabIndex >= 0 && e.checkVisibility())`;

/** Presses Tab from the first control on, or from the last one back, until it leaves the page: each stop, and whether it shows. */
async function walked(page, shift = false) {
  // A focus that a script moves does not always show: to the second and back, it is moved by keys.
  await page.evaluate(`${controls}.at(${shift ? -1 : 0}).focus()`);
  await page.press("Tab", { shift });
  await page.press("Tab", { shift: !shift });
  const stops = [];
  for (;;) {
    const stop = await page.evaluate(`(() => {
      const e = document.activeElement;
      if (e === document.body) return undefined;
      const drawn = e.closest("#terminal") ?? e;
      const { outlineStyle, outlineWidth } = getComputedStyle(drawn);
      const { width, height } = drawn.getBoundingClientRect();
      const shows = outlineStyle !== "none" && parseFloat(outlineWidth) >= 2 && width > 4 && height > 4;
      return { name: (${named})(e), shows };
    })()`);
    if (stop === undefined || stops.some(({ name }) => name === stop.name)) return stops;
    stops.push(stop);
    await page.press("Tab", { shift });
  }
}

it("Tab reaches every control of every panel, back and forth, and each shows that it has the focus", async () => {
  const { served, page } = await opened({ source: "console.log(1)" });
  await ran(served, `process.getBuiltinModule("fs").writeFileSync("made.txt", "")`);
  for (const panel of ["output", "terminal", "files", "permissions", "tools", "bill"]) {
    await page.click(`#tab-${panel}`);
    if (panel === "files") {
      await page.until(`/made\\.txt/.test(document.getElementById("files").innerText)`);
      await page.evaluate(
        `[...document.querySelectorAll("#files button")].find((b) => b.innerText === "made.txt").click()`,
      );
      await page.until(`document.activeElement.id === "file-text"`);
      assert.deepEqual(await found(page), [], "a file is open");
    }
    const wanted = await page.evaluate(`${controls}.map(${named})`);
    assert.ok(wanted.length > 6, panel);
    for (const shift of [false, true]) {
      const stops = await walked(page, shift);
      const names = stops.map(({ name }) => name);
      const missed = wanted.filter((name) => !names.includes(name));
      assert.deepEqual(missed, [], `${panel}: Tab does not reach`);
      const unseen = stops.filter(({ shows }) => !shows).map(({ name }) => name);
      assert.deepEqual(unseen, [], `${panel}: nothing shows the focus on`);
    }
  }
});

it("a terminal shows that it has the focus, and the page says how to leave it and the editor", async () => {
  const { page } = await opened();
  await page.click("#tab-terminal");
  await page.click("#open-terminal");
  await page.until(`document.activeElement.classList.contains("xterm-helper-textarea")`);
  assert.match(await page.text("#terminal-state"), /F6 leads out/);
  assert.equal(
    await page.evaluate(`getComputedStyle(document.getElementById("terminal")).outlineWidth`),
    "3px",
  );
  const help = await page.evaluate(
    `document.getElementById("source").getAttribute("aria-describedby").split(" ").map((id) => document.getElementById(id).textContent).join(" ")`,
  );
  assert.match(help, /Shift\+Tab still leaves/);
});

it("the focus stays at a call that was answered and at a file of a list that is drawn anew", async () => {
  const { served, page } = await opened();
  await page.click("#tab-tools");
  await page.click("#asks");
  await page.evaluate(
    `document.getElementById("source").value = '__return(await callHostTool("add", { a: 1, b: 2 }))'`,
  );
  await page.click("#run");
  await page.until(`document.querySelector("#calls .asks button") !== null`);
  await page.click("#tab-tools");
  assert.deepEqual(await found(page), [], "a call waits for an answer");
  await page.evaluate(`document.querySelector("#calls .asks button").focus()`);
  await page.press("Enter");
  await page.until(`/answered/.test(document.getElementById("calls").textContent)`);
  assert.match(await page.evaluate("document.activeElement.textContent"), /^add: answered/);

  for (const name of ["one.txt", "two.txt"])
    await ask(served, "write", { path: `/home/user/${name}`, text: name });
  await page.click("#tab-files");
  await page.until(`/two\\.txt/.test(document.getElementById("files").innerText)`);
  await page.evaluate(
    `[...document.querySelectorAll("#files button")].find((b) => b.innerText === "two.txt").focus()`,
  );
  await ran(served, `process.getBuiltinModule("fs").writeFileSync("three.txt", "")`);
  await page.until(`/three\\.txt/.test(document.getElementById("files").innerText)`);
  assert.equal(await page.evaluate("document.activeElement.innerText"), "two.txt");
  await page.press("Tab");
  assert.equal(
    await page.evaluate(`document.activeElement.getAttribute("aria-label")`),
    "Delete two.txt",
  );
  await page.press("Enter");
  await page.until(`!/two\\.txt/.test(document.getElementById("files").innerText)`);
  assert.equal(await page.evaluate("document.activeElement.id"), "path");
});

it("what is read out of a flood has a bound, and none of it is lost from the page", async () => {
  const { served, page } = await opened();
  // Whatever a screen reader would say: each change of a live region, with what it has then.
  await page.evaluate(`(() => {
    window.said = [];
    new MutationObserver((changes) => {
      const regions = new Set(changes.map(({ target }) =>
        (target.parentElement?.closest("[role=status],[role=log],[role=alert],[aria-live]") ?? target.closest?.("[role=status]"))).filter(Boolean));
      for (const region of regions) if (region.checkVisibility()) window.said.push(region.textContent);
    }).observe(document.body, { subtree: true, childList: true, characterData: true });
  })()`);
  await ran(
    served,
    `const line = "x".repeat(99) + "\\n"; for (let i = 0; i < 400; i++) { process.stdout.write(line.repeat(100)); await new Promise((r) => setTimeout(r, 1)); }
     for (let i = 0; i < 300; i++) try { process.getBuiltinModule("fs").readFileSync("/none" + i); } catch {}
     console.log("the end"); __return("v".repeat(100_000))`,
  );
  await page.until(
    `/exit code 0/.test(document.getElementById("ended").textContent) && window.said.some((text) => /the end/.test(text))`,
  );
  const said = await page.evaluate("window.said");
  assert.ok(said.length <= 16, `${said.length} sentences`);
  const longest = Math.max(...said.map(({ length }) => length));
  assert.ok(longest <= 400, `${longest} characters`);
  assert.match(await page.evaluate(`document.getElementById("output").textContent`), /the end/);
  assert.ok((await page.evaluate(`document.getElementById("value").innerText.length`)) > 10_000);

  // A run that goes on for longer than anybody listens.
  const { answer } = await ask(served, "run", {
    source: `for (;;) { console.log("more"); await new Promise((r) => setTimeout(r, 20)); }`,
    language: "js",
    stdin: "",
    timeoutMs: 60_000,
  });
  await page.until(`window.said.some((text) => /What follows is not read out/.test(text))`);
  await ask(served, "stop", {});
  await events(served, (event) =>
    event.kind === "ended" && event.run === answer.run ? true : undefined,
  );
  const heard = await page.evaluate(`window.said.filter((text) => /more/.test(text)).length`);
  assert.ok(heard <= 8, `${heard} sentences of one run`);
});
