// The playground in a real browser: what people do there, with keys alone; what axe says of it; and what hostile
// programs try to do to it. With SECURE_EXEC_SCREENSHOTS=<folder> its pictures for docs/playground.md are written.
import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { closeBrowser, newPage, noBrowser } from "../support/browser.mjs";
import { opened } from "../support/playground-pages.mjs";
import { ask, events, playground, ran } from "../support/playgrounds.mjs";

const it = (name, body) => test(name, { timeout: 180_000, skip: noBrowser }, body);
after(closeBrowser);

const shots = process.env.SECURE_EXEC_SCREENSHOTS;

/** The name of the element that has the focus, as a screen reader finds it. */
const focused = (page) => page.evaluate("document.activeElement.id");

const setSource = async (page, text) => {
  await page.evaluate(`document.getElementById("source").select()`);
  await page.evaluate(`document.getElementById("source").focus()`);
  await page.type(text);
};

it("with keys alone: write, run, read, walk the tabs, use the terminal and leave it", async () => {
  const { page } = await opened({ source: "// here" });
  await page.until(`document.getElementById("source").value === "// here"`);
  // The first stop leads to the editor.
  await page.press("Tab");
  assert.equal(await page.evaluate("document.activeElement.className"), "skip");
  await page.press("Enter");
  await page.until(`document.activeElement.id === "source"`);
  await setSource(page, "console.log('a', 6 * 7); console.error('b'); __return({ c: 1 })");
  await page.press("Enter", { ctrl: true });
  await page.until(`/exit code 0, exit/.test(document.getElementById("outcome").textContent)`);
  // What is printed is drawn with the next frame.
  await page.until(`document.querySelector("#output .stdout").innerText === "a 42\\n"`);
  await page.until(`document.querySelector("#output .stderr").innerText === "b\\n"`);
  assert.deepEqual(JSON.parse(await page.until(`document.querySelector("#value").innerText`)), {
    c: 1,
  });

  // Tab leaves the editor, also where it indents: with Shift.
  await page.press("Tab");
  assert.equal(await focused(page), "indents");
  await page.click("#indents");
  await page.press("Tab", { shift: true });
  assert.equal(await focused(page), "source");
  await page.evaluate(`document.getElementById("source").setSelectionRange(0, 0)`);
  await page.press("Tab");
  assert.equal(await focused(page), "source");
  assert.match(await page.evaluate(`document.getElementById("source").value`), /^ {2}console/);
  await page.press("Tab", { shift: true });
  assert.notEqual(await focused(page), "source");

  // One stop for all tabs, arrows between them.
  await page.evaluate(`document.getElementById("tab-output").focus()`);
  for (const name of ["terminal", "files", "permissions", "tools", "bill", "output"]) {
    await page.press("ArrowRight");
    assert.equal(await focused(page), `tab-${name}`);
    assert.equal(await page.evaluate(`document.getElementById("panel-${name}").hidden`), false);
    assert.equal(
      await page.evaluate(`document.querySelectorAll("[role=tabpanel]:not([hidden])").length`),
      1,
    );
  }
  await page.press("Home");
  await page.press("ArrowRight");
  await page.press("Tab");
  assert.equal(await focused(page), "open-terminal");
  await page.press("Enter");
  await page.until(`document.activeElement.classList.contains("xterm-helper-textarea")`);
  const screen = `document.querySelector("#terminal .xterm-accessibility, #terminal .xterm-screen").innerText`;
  await page.until(`/\\$/.test(${screen})`);
  await page.keys("echo $((6*7))-from-the-shell");
  await page.press("Enter");
  await page.until(`/42-from-the-shell/.test(${screen})`);
  // Tab is the shell's; F6 leads out.
  await page.press("Tab");
  assert.equal(await page.evaluate("document.activeElement.className"), "xterm-helper-textarea");
  await page.press("F6");
  assert.equal(await focused(page), "tab-terminal");
  assert.deepEqual(page.complaints, []);
});

it("files, permissions with decisions as they fall, tools that ask, the bill; all again after a reload", async () => {
  const { served, page } = await opened();
  await ran(served, `process.getBuiltinModule("fs").writeFileSync("made.txt", "by a program")`);
  await page.click("#tab-files");
  await page.until(`/made\\.txt/.test(document.getElementById("files").innerText)`);
  await page.evaluate(
    `[...document.querySelectorAll("#files button")].find((b) => b.innerText === "made.txt").click()`,
  );
  await page.until(`document.getElementById("file-text").value === "by a program"`);
  await page.type(" and a person; ");
  await page.click("#save-file");
  await page.until(`/is written/.test(document.getElementById("notice").textContent)`);
  const { answer } = await ask(served, "read", { path: "/home/user/made.txt" });
  assert.match(answer.text, /and a person/);

  await page.click("#tab-permissions");
  await page.until(
    `/fs\\.write.*made\\.txt/s.test(document.getElementById("decisions").innerText)`,
  );
  await page.evaluate(`document.getElementById("permissions").value =
    JSON.stringify({ fs: { default: "allow", rules: [{ mode: "deny", paths: ["/etc/**"] }] } })`);
  await page.click("#new-machine");
  await page.until(`/new machine/i.test(document.getElementById("notice").textContent)`);
  await setSource(page, `import { readFileSync } from "node:fs"; readFileSync("/etc/passwd")`);
  await page.press("Enter", { ctrl: true });
  await page.until(`/exit code 1/.test(document.getElementById("outcome").textContent)`);
  await page.click("#only-denied");
  await page.until(`document.querySelectorAll("#decisions tr.deny").length > 0`);
  assert.match(
    (await page.text("#panel-permissions #decisions")) ||
      (await page.evaluate(`document.getElementById("decisions").textContent`)),
    /fs\.\w+\s*\/etc\/passwd/,
  );

  await page.click("#tab-tools");
  await page.click("#asks");
  await setSource(page, `__return(await callHostTool("add", { a: 1, b: 2 }))`);
  await page.press("Enter", { ctrl: true });
  await page.until(
    `[...document.querySelectorAll("#calls button")].some((b) => b.innerText === "Allow") || document.querySelector("#calls .asks") !== null`,
  );
  await page.evaluate(`document.querySelector("#calls .asks button").click()`);
  await page.until(`/"sum": 3/.test(document.getElementById("outcome").textContent)`);
  await page.click("#tab-bill");
  await page.until(`/Calls of tools\\s*1/.test(document.getElementById("bill-rows").textContent)`);

  await page.goto(served.url);
  await page.until(`/"sum": 3/.test(document.getElementById("outcome").textContent)`);
  await page.until(`/Calls of tools\\s*1/.test(document.getElementById("bill-rows").textContent)`);
  assert.match(
    await page.evaluate(`document.getElementById("calls").textContent`),
    /add: answered/,
  );
  assert.deepEqual(
    page.complaints.filter((text) => !/422/.test(text)),
    [],
  );
});

/** A playground in which everything has something to show. */
async function busy() {
  const { served, page } = await opened({
    runtime: {
      permissions: { fs: { default: "allow", rules: [{ mode: "deny", paths: ["/etc/shadow"] }] } },
    },
    source: `import { readFileSync, writeFileSync } from "node:fs";

const numbers = [12, 7, 30];
writeFileSync("report.csv", numbers.join("\\n"));
console.log("sum:", (await callHostTool("add", { a: 12, b: 30 })).result.sum);
try {
  readFileSync("/etc/shadow");
} catch ({ code }) {
  console.error("no:", code);
}
__return({ numbers });
`.replace(".result.sum", ".sum"),
  });
  await page.until(`document.getElementById("source").value !== ""`);
  await page.evaluate(`document.getElementById("run").click()`);
  await page.until(`/exit code 0/.test(document.getElementById("outcome").textContent)`);
  await ask(served, "openTerminal", { cols: 80, rows: 24 });
  await events(served, ({ kind }) => (kind === "terminal" ? true : undefined));
  await ask(served, "type", {
    text: "printf '\\033[1;34mblue\\033[0m \\033[31mred\\033[0m\\n'; ls -l; git --version\r",
  });
  let text = "";
  await events(served, ({ kind, base64 }) => {
    if (kind === "terminal") text += Buffer.from(base64, "base64");
    return /git version/.test(text) ? true : undefined;
  });
  return { served, page };
}

it("axe finds nothing, in light and dark, on any panel, wide and narrow", async () => {
  const { page } = await busy();
  for (const scheme of ["light", "dark"]) {
    await page.prefer(scheme);
    for (const name of ["output", "terminal", "files", "permissions", "tools", "bill"]) {
      await page.click(`#tab-${name}`);
      if (name === "terminal")
        await page.until(`/git version/.test(document.getElementById("terminal").textContent)`);
      assert.deepEqual(await page.axe(), [], `${scheme}, ${name}`);
      if (shots !== undefined && ["output", "terminal", "permissions"].includes(name)) {
        mkdirSync(shots, { recursive: true });
        writeFileSync(join(shots, `playground-${name}-${scheme}.png`), await page.screenshot());
      }
    }
  }
  await page.send("Emulation.setDeviceMetricsOverride", {
    width: 400,
    height: 800,
    deviceScaleFactor: 1,
    mobile: false,
  });
  await page.click("#tab-output");
  assert.deepEqual(await page.axe(), []);
  // WCAG 1.4.10: nothing has to be scrolled sideways.
  assert.equal(await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), true);
});

const markup = [
  `<img src=x onerror="window.attacked='img'">`,
  `</pre></textarea></title><script>window.attacked='script'</script>`,
  `<svg onload="window.attacked='svg'"><a href="javascript:window.attacked='link'">x</a></svg>`,
  `<iframe srcdoc="<script>parent.attacked='frame'</script>"></iframe>`,
  `javascript:window.attacked='url'`,
  `{{constructor.constructor("window.attacked='template'")()}}`,
].join("");
/** What would end an event, or begin another. */
const streamBreak = `\n\ndata: {"kind":"lost","message":"forged"}\n\nevent: open\r\n\r\nid: 99999\r\r`;

it("output, values, errors, file names, tools and audit rows are text, whatever they say", async () => {
  const { served, page } = await opened({
    runtime: {
      permissions: { fs: { default: "allow", rules: [{ mode: "deny", paths: ["/secret/**"] }] } },
    },
    tools: { look: { description: markup, handler: ({ q }) => ({ q, markup }) } },
  });
  const source = `
    const fs = process.getBuiltinModule("fs");
    const markup = ${JSON.stringify(markup)};
    const flat = markup.replaceAll("/", "∕");
    process.stdout.write(markup + ${JSON.stringify(streamBreak)});
    process.stderr.write("\\x1b]8;;javascript:alert(1)\\x07" + markup + "\\u202egnp.exe\\u2066");
    for (const part of flat.match(/.{1,100}/gs)) fs.writeFileSync(part, markup);
    fs.writeFileSync("\\u202etxt.exe\\u202c", "");
    fs.writeFileSync("new\\nline\\r\\x1b[2J", "");
    for (const part of flat.match(/.{1,100}/gs)) try { fs.readFileSync("/secret/" + part); } catch {}
    await callHostTool("look", { q: markup, ["<b onclick=x>"]: 1 }).catch((e) => console.error(e.message));
    process.title = markup;
    process.getBuiltinModule("child_process").spawnSync("/bin/cat", ["/secret/x"], { argv0: markup });
    __return({ markup, ["</script><script>window.attacked='key'</script>"]: markup });`;
  const { outcome, stderr } = await ran(served, source);
  assert.equal(outcome.exitCode, 0, stderr);
  await ran(served, `throw new Error(${JSON.stringify(markup)})`);
  await ran(served, source);
  await page.until(`/exit code 0/.test(document.getElementById("outcome").textContent)`);
  for (const name of ["output", "files", "permissions", "tools", "bill"])
    await page.click(`#tab-${name}`);
  await page.click("#tab-files");
  await page.until(`document.querySelectorAll("#files li").length > 6`);
  await page.evaluate(
    `[...document.querySelectorAll("#files button")].find((b) => b.innerText.startsWith("<img")).click()`,
  );
  await page.until(`document.getElementById("file-text").value.includes("onerror")`);
  await page.until(`document.getElementById("calls").textContent.includes("onerror")`);
  await page.until(`document.getElementById("decisions").textContent.includes("onerror")`);

  assert.equal(await page.evaluate("window.attacked"), undefined);
  const foreign = `document.querySelectorAll("img, svg, iframe, object, embed, script:not([src='page/main.js']), a:not(.skip), [onclick], [onerror], [onload]").length`;
  assert.equal(await page.evaluate(foreign), 0);
  // What came was shown: as the characters that it is.
  assert.ok(
    (await page.evaluate(`document.getElementById("output").textContent`)).includes(markup),
  );
  const shown = await page.evaluate("document.body.textContent");
  assert.ok(shown.includes("data: {") && !/machine is lost/.test(shown));
  // oxlint-disable-next-line no-control-regex -- they are what is looked for
  assert.doesNotMatch(shown, /[\u202a-\u202e\u2066-\u2069\u0000-\u0008\u000e-\u001f\u007f-\u009f]/);
  assert.ok(shown.includes("⟨U+202E⟩txt.exe"));
  assert.equal(await page.evaluate("document.title"), "secure-exec playground");
  assert.deepEqual(page.opened, []);
  assert.deepEqual(page.complaints, []);
});

it("terminal sequences reach the screen and nothing else", async () => {
  const { served, page } = await opened();
  await page.click("#tab-terminal");
  await ask(served, "openTerminal", { cols: 80, rows: 24 });
  const sequences = [
    "\\033]0;window.attacked\\007",
    "\\033]2;title\\033\\\\",
    "\\033]8;;javascript:window.attacked=1\\033\\\\CLICK-ME\\033]8;;\\033\\\\",
    "\\033]8;;https://evil.example/\\007CLICK-YOU\\033]8;;\\007",
    "\\033]52;c;YXR0YWNr\\007",
    "\\033[21t\\033[8;5000;5000t\\033[5t",
    "\\033]1337;File=inline=1:AAAA\\007",
    "\\033P$q q\\033\\\\\\033P1$r0m\\033\\\\",
    "<img src=x onerror=window.attacked=1><script>window.attacked=1</script>",
    "\\033[?1003h\\033[?2004h\\033[?1004h",
  ];
  await ask(served, "type", { text: "stty -echo\r" });
  for (const sequence of sequences) await ask(served, "type", { text: `printf '${sequence}'\r` });
  await ask(served, "type", { text: "printf '\\n%s\\n' over-and-out\r" });
  await page.until(`/over-and-out/.test(document.getElementById("terminal").textContent)`);
  await page.until(`/CLICK-ME/.test(document.getElementById("terminal").textContent)`);
  // A click on each of the links.
  const places =
    await page.evaluate(`[...document.querySelectorAll("#terminal .xterm-rows span, #terminal .xterm-rows > div")]
    .filter((e) => /CLICK-(ME|YOU)/.test(e.textContent)).map((e) => { const r = e.getBoundingClientRect(); return [r.x + 20, r.y + r.height / 2]; })`);
  for (const [x, y] of places)
    for (const type of ["mouseMoved", "mousePressed", "mouseReleased"])
      await page.send("Input.dispatchMouseEvent", { type, x, y, button: "left", clickCount: 1 });
  assert.ok(places.length > 0);
  await ask(served, "type", { text: "printf '\\n%s\\n' still-there\r" });
  await page.until(`/still-there/.test(document.getElementById("terminal").textContent)`);
  assert.equal(await page.evaluate("window.attacked"), undefined);
  assert.equal(await page.evaluate("document.title"), "secure-exec playground");
  assert.equal(await page.evaluate("location.href"), served.url);
  assert.equal(
    await page.evaluate(
      `document.querySelectorAll("#terminal img, #terminal script, #terminal a").length`,
    ),
    0,
  );
  const rows = await page.evaluate(
    `document.querySelectorAll("#terminal .xterm-rows > div").length`,
  );
  assert.equal(rows, 24);
  assert.deepEqual(page.opened, []);
  assert.deepEqual(page.complaints, []);
});

it("a page loaded again answers no query of what its terminal showed before", async () => {
  const { served, page } = await opened();
  await ask(served, "openTerminal", { cols: 80, rows: 24 });
  const shown = (pattern) => {
    let text = "";
    return events(served, ({ kind, base64 }) => {
      if (kind === "terminal") text += Buffer.from(base64, "base64");
      return pattern.test(text) ? true : undefined;
    });
  };
  await ask(served, "type", { text: "cat -v\r" });
  await shown(/cat -v/);
  // Device attributes, asked for by output that is long over when the page comes back.
  await ask(served, "closeTerminal");
  await events(served, ({ kind }) => (kind === "terminalClosed" ? true : undefined));
  await ask(served, "openTerminal", { cols: 80, rows: 24 });
  await ask(served, "type", {
    text: "stty raw -echo; printf 'ask\\033[c'; dd bs=1 count=5 2>/dev/null | od -c; stty sane; echo first-$?\r",
  });
  await shown(/first-0/);
  await ask(served, "type", { text: "cat > typed; wc -c < typed; echo second-$?\r" });
  await page.goto(served.url);
  await page.until(`document.getElementById("connection").textContent === "connected"`);
  await page.click("#tab-terminal");
  await page.until(`/second-/.test(document.getElementById("terminal").textContent)`);
  await ask(served, "type", { text: "\u0004" });
  await shown(/\n0\r\nsecond-0/);
});

it("a flood is drawn in part, and the page stays usable", async () => {
  const { served, page } = await opened();
  await page.until(`document.readyState === "complete"`);
  await ran(
    served,
    `const line = "x".repeat(99) + "\\n"; for (let i = 0; i < 100; i++) process.stdout.write(line.repeat(1000)); console.log("the end")`,
  );
  await page.until(`/the end/.test(document.getElementById("output").textContent)`);
  assert.ok(
    (await page.evaluate(`document.getElementById("output").textContent.length`)) <= 400_000,
  );
  assert.ok((await page.evaluate(`document.getElementsByTagName("*").length`)) < 5000);
});

it("another site gets no script, no answer and no event out of it", async () => {
  const { served } = await opened();
  const { url } = await playground({ source: "x" });
  const page = await newPage();
  // The page of one playground is a foreign origin for another: its own policy is left aside for the attempt.
  await page.send("Page.setBypassCSP", { enabled: true });
  await page.goto(served.url);
  const tries = await page.evaluate(`(async () => {
    const tried = {};
    const url = ${JSON.stringify(url)};
    tried.get = await fetch(url).then(() => "read", () => "refused");
    tried.post = await fetch(url + "stop", { method: "POST", headers: { "content-type": "application/json" }, body: "{}" }).then(() => "read", () => "refused");
    tried.simple = await fetch(url + "run", { method: "POST", mode: "no-cors", body: JSON.stringify({ source: "x", language: "js", stdin: "", timeoutMs: 1000 }) }).then(({ type, status }) => type + status, () => "refused");
    tried.script = await new Promise((resolve) => { const s = document.createElement("script"); s.onload = () => resolve("ran"); s.onerror = () => resolve("refused"); s.src = url + "page/main.js"; document.head.append(s); });
    tried.events = await new Promise((resolve) => { const e = new EventSource(url + "events"); e.onopen = () => resolve("open"); e.onerror = () => { e.close(); resolve("refused"); }; });
    tried.frame = await new Promise((resolve) => { const f = document.createElement("iframe"); f.onload = () => { try { resolve(f.contentDocument === null ? "refused" : f.contentDocument.body.innerText.includes("playground") ? "shown" : "refused"); } catch { resolve("refused"); } }; f.src = url; document.body.append(f); });
    return tried;
  })()`);
  assert.deepEqual(tries, {
    get: "refused",
    post: "refused",
    simple: "refused",
    script: "refused",
    events: "refused",
    frame: "refused",
  });
});
