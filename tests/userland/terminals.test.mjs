// The shell and programs as somebody at a terminal uses them; the screen is xterm's own.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { NodeRuntime } from "../../dist/index.js";
import { Screen } from "../support/screen.mjs";

const it = (name, body) => test(name, { timeout: 90_000 }, body);
let rt;
before(async () => {
  const text = Array.from({ length: 300 }, (_, i) => `row ${i + 1}`).join("\n");
  rt = await NodeRuntime.create({
    files: {
      "/tmp/c/alpha-one": "",
      "/tmp/c/alpha-two": "",
      "/tmp/c/beta dir/x": "",
      "/tmp/text": text,
    },
  });
});
after(() => rt.dispose());

/** Somebody at a terminal: `keys(typed, wanted)` types and waits for the screen to show something. */
async function sit({ cols = 80, rows = 24, ...options } = {}) {
  const shell = await rt.openShell({ cols, rows, env: { PS1: "> " }, ...options });
  const screen = new Screen(cols, rows);
  shell.onData((bytes) => screen.write(bytes));
  const keys = async (typed, wanted) => {
    shell.write(typed);
    if (wanted !== undefined) await screen.until(wanted);
  };
  return { shell, screen, keys };
}

it("a shell prompts, runs, tells its status and ends", async () => {
  const { shell, screen, keys } = await sit();
  await keys("", /^> $/);
  await keys("echo one; false\r", /^one\n> $/m);
  await keys("echo $? $-\r", /^1 .*i.*m/m);
  await keys("if true\r", /^> if true\n> $/m);
  await keys("then echo inside; fi\r", /^inside\n> $/m);
  await keys("exit 7\r");
  assert.equal(await shell.wait(), 7);
  assert.equal(shell.exitCode, 7);
  assert.match((await screen.lines()).at(-1), /exit 7/);
});

it("^D ends it, ^C gives a line up, output is an iteration as well", async () => {
  const shell = await rt.openShell({ env: { PS1: "> " } });
  let text = "";
  let typed = 0;
  const steps = ["half\x03", "\x04"];
  const seen = (async () => {
    for await (const bytes of shell) {
      text += Buffer.from(bytes);
      const part = text.slice(typed);
      if (steps.length > 0 && part.includes("> ")) {
        typed = text.length;
        shell.write(steps.shift());
      }
    }
  })();
  assert.equal(await shell.wait(), 130);
  await seen;
  assert.match(text, /exit\r\n$/);
});

it("keys edit the line: words, ends, kill and yank, history and search", async () => {
  const { shell, screen, keys } = await sit();
  await keys("", /> $/);
  await keys("cho hello wurld", "hello wurld");
  await keys("\x01e\x05\x17world", "> echo hello world");
  await keys("\r", /^hello world\n> $/m);
  await keys("echo secönd x\x7f\x7f\r", /^secönd\n> $/m);
  await keys("\x1b[A\x1b[A", /> echo hello world$/);
  await keys("\x1b[B", /> echo secönd$/);
  await keys("\x15echo b\x02\x0b\x01\x19\x15", /> $/);
  await keys("\x12hel", /\(reverse-i-search\)`hel': echo hello world/);
  await keys("\r", /hello world\n(?:.*\n)*.*hello world\n> $/);
  await keys("echo ab\x1b[Dx\x1b[3~y\r", /^axy\n> $/m);
  await keys("history 2\r", /^ +\d+ {2}echo axy\n +\d+ {2}history 2\n> $/m);
  await keys("\x0c", (_, { cursor: [x, y] }) => x === 2 && y === 0);
  assert.equal((await screen.visible())[0].trimEnd(), ">");
  shell.kill("SIGKILL");
  assert.equal(await shell.wait(), 137);
});

it("a line longer than the screen is drawn in rows, and redrawn after a resize", async () => {
  const { shell, screen, keys } = await sit({ cols: 20 });
  await keys("", /> $/);
  const long = "echo 3456789012345678901234567890";
  await keys(long, `> ${long}`);
  await keys("\x01", (_, { cursor }) => cursor[0] === 2 && cursor[1] === 0);
  await keys("\x05\x7f\x7fAB", `> ${long.slice(0, -2)}AB`);
  assert.deepEqual(screen.cursor, [15, 1]);
  await keys("\r", /^34567890123456789012345678AB\n> $/m);
  screen.resize(40, 24);
  shell.resize(40, 24);
  await keys("stty size\r", /^24 40\n> $/m);
  shell.kill("SIGKILL");
  await shell.wait();
});

it("tab completes commands, files with blanks, directories and variables", async () => {
  const { shell, keys } = await sit({ cwd: "/tmp/c" });
  await keys("", /> $/);
  await keys("basena\t", "> basename ");
  await keys("\x15ls a\t", /> ls alpha-$/);
  await keys("\t\t", /alpha-one +alpha-two\n> ls alpha-$/);
  await keys("t\t", /> ls alpha-two $/);
  await keys("\x15ls b\t", "> ls beta\\ dir/");
  await keys("\r", /^x\n> $/m);
  await keys("echo $HOM\t", "> echo $HOME ");
  shell.kill("SIGKILL");
  await shell.wait();
});

it("^Z stops, jobs tells, bg and fg go on, the end in the background is told", async () => {
  const { shell, keys } = await sit();
  await keys("", /> $/);
  // What is typed before it runs is not echoed, as on every terminal.
  await keys("echo go; cat\r", /^go\n$/m);
  await keys("one\r", /one\none/);
  await keys("\x1a", /\^Z\n\[1\]\+ {2}Stopped +cat\n> $/);
  await keys("ps -o stat=,args= | grep -c '^T.*cat'\r", /^1\n> $/m);
  await keys("jobs\r", /> jobs\n\[1\]\+ {2}Stopped +cat\n> $/);
  const told = String.raw`\[1\]\+ {2}Stopped \(tty input\) +cat\n`;
  await keys("bg\r", new RegExp(`> bg\\n\\[1\\]\\+ cat &\\n(?:${told})?> $`));
  // In the background it may not read: SIGTTIN.
  await keys("sleep 0.1\r", new RegExp(`${told}> (?:sleep 0\\.1\\n> )?$`));
  await keys("fg\r", /> fg\ncat\n$/);
  await keys("two\r", /two\ntwo/);
  await keys("\x04", /two\n> $/);
  await keys("sleep 0.2 &\r", /\[1\] \d+\n> $/);
  await keys("wait\r", /> wait\n(?:\[1\]\+ {2}Done +sleep 0\.2\n)?> $/);
  // A key that signals is typed once the program runs: before, it is the line editor's.
  const piped = "sh -c 'echo up; exec sleep 100' | cat";
  await keys(`${piped}\r`, /^up\n$/m);
  await keys("\x1a", new RegExp(`Stopped +${piped.replace("|", "\\|")}\n> $`));
  await keys("kill %1; fg\r", /fg\nsh -c .* \| cat\n(?:Terminated\n)?> $/);
  await keys("jobs; echo none\r", /> jobs; echo none\nnone\n> $/);
  await keys("exit\r");
  assert.equal(await shell.wait(), 0);
});

it("^C ends what runs in the foreground, loops of the shell as well, and not the shell", async () => {
  const { shell, keys } = await sit();
  await keys("", /> $/);
  await keys("sh -c 'echo up; exec sleep 100'\r", /^up\n$/m);
  await keys("\x03", /\^C\n> $/);
  await keys("echo status $?\r", /^status 130\n> $/m);
  await keys("echo go; while :; do :; done\r", /^go\n$/m);
  await keys("\x03", /go\n\^C\n> $/);
  await keys("echo alive\r", /^alive\n> $/m);
  shell.kill("SIGKILL");
  await shell.wait();
});

it("stty shows and sets, a program that leaves it raw does not spoil the prompt", async () => {
  const { shell, keys } = await sit();
  await keys("", /> $/);
  await keys("stty -a | tail -1\r", /^isig icanon echo echoe echok /m);
  await keys("stty -echo; stty | tail -1; stty sane; stty -g | cut -c1-4\r", /^-echo\n4500\n> $/m);
  await keys("stty intr ^X; stty -a | grep -o 'intr = ..'; stty sane\r", /^intr = \^X\n> $/m);
  await keys("stty rows 30 cols 90; stty size; stty rows 24 cols 80\r", /^30 90\n> $/m);
  await keys(
    "node -e 'process.stdin.setRawMode(true); process.kill(process.pid, \"SIGKILL\")'\r",
    /Killed\n> $/,
  );
  await keys("stty -a | tail -1\r", /Killed\n> stty -a \| tail -1\n^isig icanon echo /m);
  await keys("stty bogus\r", /invalid argument 'bogus'/);
  shell.kill("SIGKILL");
  await shell.wait();
});

it("less shows a screen, pages, searches and leaves", async () => {
  const { shell, screen, keys } = await sit({ rows: 10 });
  const top =
    (text) =>
    (_, { visibleTop }) =>
      visibleTop === text;
  await keys("", /> $/);
  await keys("less /tmp/text\r", /row 9/);
  assert.equal((await screen.visible())[0], "row 1");
  await keys(" ", /row 18/);
  await keys("G", /row 300\n.*END/);
  await keys("/row 150\r");
  await keys("g", top("row 1"));
  await keys("/row 150\r", top("row 150"));
  await keys("k", top("row 149"));
  await keys("q", /> $/);
  await keys("cat /tmp/text | less\r", top("row 1"));
  await keys("j", top("row 2"));
  await keys("q", /> $/);
  shell.kill("SIGKILL");
  await shell.wait();
});

it("the REPL evaluates, edits, completes and leaves", async () => {
  const { shell, keys } = await sit();
  await keys("", /> $/);
  await keys("node\r", /Welcome to Node\.js[^]*\n> $/);
  await keys("const answer = 6 * 7\r", /undefined\n> $/);
  await keys("answ\t", /> answer/);
  await keys("\r", /> answer\n42\n> $/);
  await keys("\x1b[A\x1b[A", /> const answer = 6 \* 7/);
  await keys("\x15.exit\r", /\.exit\n> $/);
  await keys("echo back\r", /^back\n> $/m);
  shell.kill("SIGKILL");
  await shell.wait();
});

it("a program that redraws in place, as top does, and one that hears of a resize", async () => {
  const program = `
    const { stdout, stdin } = process;
    stdout.write("\\x1b[?1049h\\x1b[?25l");
    let n = 0;
    const draw = () => stdout.write("\\x1b[H" + ["tick " + n, stdout.columns + "x" + stdout.rows].map((l) => l + "\\x1b[K").join("\\n") + "\\x1b[J");
    const timer = setInterval(() => { n++; draw(); }, 5);
    stdout.on("resize", draw);
    stdin.setRawMode(true);
    stdin.on("data", (key) => { if (String(key) === "q") { clearInterval(timer); stdout.write("\\x1b[?25h\\x1b[?1049l"); process.exit(); } });
    draw();`;
  await rt.writeFile("/tmp/top.js", program);
  const { shell, screen, keys } = await sit({ rows: 8 });
  await keys("", /> $/);
  await keys("node /tmp/top.js\r", (text) => Number(/^tick (\d+)/.exec(text)?.[1]) > 5);
  assert.deepEqual((await screen.visible()).slice(1, 3), ["80x8", ""]);
  screen.resize(60, 12);
  shell.resize(60, 12);
  await screen.until("60x12");
  await keys("q", /> node \/tmp\/top\.js\n> $/);
  shell.kill("SIGKILL");
  await shell.wait();
});

it("a shell that is hung up takes its jobs along, stopped ones as well", async () => {
  const { shell, keys } = await sit();
  await keys("", /> $/);
  await keys("sh -c 'echo up; exec sleep 1000'\r", /^up\n$/m);
  await keys("\x1a", /Stopped +sh -c .*\n> $/);
  shell.kill();
  assert.equal(await shell.wait(), 129);
  for (;;) {
    const { stdout } = await rt.execCommand("ps", ["-eo", "args="]);
    if (!stdout.includes("sleep 1000")) break;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
});
