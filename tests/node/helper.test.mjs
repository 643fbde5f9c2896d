// `mono-demo/test`: brokers in tests of Node.

import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { appendFileSync, existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";

import { Pipe } from "../../packaging/npm/pipe.mjs";
import { BrokenPromise, MonoDemoError, scenarios, startBroker, startCluster, stopAll } from "../../packaging/npm/test.mjs";

const helper = fileURLToPath(new URL("../../packaging/npm/test.mjs", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "mono-demo-node-"));
after(() => rmSync(folder, { recursive: true }));

/** Whether a process is there and no zombie. */
const lives = (/** @type {number} */ pid) =>
  existsSync(`/proc/${pid}`) && !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, "utf8"));

/** The child of this process that has a broker somewhere below it. */
function controlOf(/** @type {number} */ broker) {
  for (let pid = broker; pid > 1; ) {
    // The name, in brackets, may have anything in it.
    const parent = Number(readFileSync(`/proc/${pid}/stat`, "utf8").replace(/^.*\) \S+ /s, "").split(" ")[0]);
    if (parent === process.pid) return pid;
    pid = parent;
  }
  throw new Error("no child has it");
}

/** Asks a server for its INFO, as any client does first. */
function greeted(/** @type {string} */ url) {
  return new Promise((resolve, reject) => {
    const socket = net.connect(Number(new URL(url).port), "127.0.0.1");
    socket.once("data", (data) => {
      socket.destroy();
      resolve(data.toString());
    });
    socket.once("error", reject);
  });
}

test("a broker is started, killed, and started again on the same port and store", async () => {
  const broker = await startBroker();
  await broker.stream({ name: "S", subjects: ["s"] });
  const { pid, url } = broker;
  assert.match(await greeted(url), /^INFO .*"jetstream":true/);
  await broker.kill();
  await assert.rejects(greeted(url), /ECONNREFUSED/);
  await broker.restart();
  assert.notEqual(broker.pid, pid);
  await greeted(broker.url);
  // The stream is there: another one of that name is refused.
  await assert.rejects(broker.stream({ name: "S", subjects: ["other"] }), MonoDemoError);
  assert.ok((await broker.log()).some((line) => line.includes("Server is ready")));
  assert.equal(await broker.stop(), "orderly");
  assert.ok(!lives(broker.pid));
});

test("it is gone at the end of its block", async () => {
  const broker = await startBroker({ jetstream: false });
  await broker[Symbol.asyncDispose]();
  assert.ok(!lives(broker.pid));
  // Also where the test has stopped it.
  await broker[Symbol.asyncDispose]();
});

test("accounts, proxies, services and leaks", async () => {
  const broker = await startBroker({ accounts: true });
  const account = await broker.account();
  assert.equal(account.options.user, account.user);
  assert.deepEqual(account.options.servers, [`nats://127.0.0.1:${broker.port}`]);
  await account.stream({ name: "S", subjects: ["s"] });
  await broker.stream({ name: "S", subjects: ["s"] });
  const proxy = await account.proxy();
  await greeted(proxy.url);
  await proxy.refuse();
  await assert.rejects(greeted(proxy.url), /ECONNREFUSED/);
  await proxy.heal();
  await greeted(proxy.url);
  await proxy.lose("pub-ack", { subject: "s" });
  assert.ok(Array.isArray((await broker.leaks()).connections));
  const said = "console.log('up at', process.env.NATS_URL); setInterval(() => {}, 1000)";
  const service = await account.start([process.execPath, "-e", said], { ready: { line: "up at" } });
  const { pid } = service;
  await service.kill();
  await service.restart();
  assert.notEqual(service.pid, pid);
  assert.ok((await service.log()).includes(`up at ${account.url}`));
  await service.stop();
  await broker.stop();
});

test("a service is ready when its page is, and a broker says its version", async () => {
  const broker = await startBroker({ jetstream: false });
  assert.match(broker.version, /^2\.\d+\.\d+$/);
  const free = net.createServer().listen(0, "127.0.0.1");
  await once(free, "listening");
  const { port } = /** @type {import("node:net").AddressInfo} */ (free.address());
  await new Promise((closed) => free.close(closed));
  const http = `http://127.0.0.1:${port}/health`;
  const page = `require("node:http").createServer((asked, answer) => answer.writeHead(asked.url === "/health" ? 204 : 503).end()).listen(${port}, "127.0.0.1")`;
  const service = await broker.start([process.execPath, "-e", page], { ready: { http } });
  assert.equal((await fetch(http)).status, 204);
  await service.stop();
  await assert.rejects(broker.start(["sleep", "1"], { ready: { http: "ftp://h/" } }), /ready\.http: "ftp:\/\/h\/" is not an http:\/\/ URL/);
  await broker.stop();
});

test("what was promised is judged, and what is lost is named", async () => {
  const broker = await startBroker();
  const dir = mkdtempSync(join(folder, "history-"));
  const promises = {
    order: {
      operation: { submit: "orders.new" },
      key: "/id",
      effect: { file: "receipts.jsonl", key: "/id" },
      within: "1s",
    },
  };
  const receipts = join(dir, "receipts.jsonl");
  const order = (/** @type {any} */ history, /** @type {string} */ id) =>
    history.submit("orders.new", { id }, async () => {
      if (id === "o-refused") throw Object.assign(new Error("nobody"), { name: "NoRespondersError" });
      return { seq: Number(id.slice(2)), duplicate: false };
    });
  writeFileSync(receipts, "");
  const kept = await broker.history(promises, { dir });
  assert.equal((await order(kept, "o-1")).seq, 1);
  await assert.rejects(order(kept, "o-refused"), /nobody/);
  appendFileSync(receipts, '{"id":"o-1"}\n');
  const verdict = await kept.mustHold();
  assert.deepEqual([verdict.verdict, verdict.figures["done"], verdict.figures["fail"]], ["valid", 1, 1]);
  // A promise and a property may have one name.
  const { declared, properties } = verdict;
  assert.deepEqual([declared["order"]?.verdict, declared["order"]?.looked_at], ["valid", 2]);
  assert.deepEqual([Object.keys(declared), properties["order"]?.looked_at], [["order"], 0]);
  const lost = await broker.history(promises, { dir });
  await broker.kill();
  await broker.restart();
  await order(lost, "o-2");
  await assert.rejects(
    lost.mustHold({ into: join(dir, "lost.jsonl") }),
    (error) => error instanceof BrokenPromise && error.message.includes("`o-2`") && error.verdict.figures["lost"] === 1,
  );
  assert.ok(existsSync(join(dir, "lost.jsonl")));
  const idle = await broker.history(promises, { dir });
  assert.equal((await idle.judge()).verdict, "unknown");
  // As `await using` does, at the end of a block.
  const forgotten = await broker.history(promises, { dir });
  await assert.rejects(forgotten[Symbol.asyncDispose](), /BrokenPromise: the history is unknown/);
  await forgotten[Symbol.asyncDispose]();
  await idle[Symbol.asyncDispose]();
  const bad = await broker.history(promises, { dir });
  await assert.rejects(bad.judge({ into: join(dir, "nowhere", "bad.jsonl") }), /into: write .*nowhere/);
  assert.equal((await bad.judge()).verdict, "unknown");
  const plain = await startBroker({ jetstream: false });
  const unseen = await (await plain.history(promises, { dir })).judge();
  assert.match(String(unseen.no_hazards), /JetStream/);
  await plain.stop();
  await assert.rejects(broker.history({ order: { key: "id" } }), /promises\.order: promise `order` has no `operation`/);
  await broker.stop();
});

test("a cluster loses its leader", async () => {
  const cluster = await startCluster();
  await cluster.stream({ name: "S", subjects: ["s"], num_replicas: 3 });
  const dead = await cluster.killLeader("S");
  assert.ok([0, 1, 2].includes(dead));
  await cluster.heal();
  await cluster.stop();
});

test("what is wrong is said", async () => {
  await assert.rejects(startBroker(/** @type {any} */ ({ prot: 1 })), /broker\.start: settings: .*'prot' was unexpected/);
  const broker = await startBroker();
  await assert.rejects(
    broker.start(["sh", "-c", "echo no room; exit 3"], { ready: { line: "up" } }),
    (error) => error instanceof MonoDemoError && /exit status 3/.test(error.message) && error.log[0] === "no room",
  );
  // It points at the line of the test, also where the answer is read by somebody else.
  await assert.rejects(broker.stream({ name: "S", typo: 1 }), (/** @type {any} */ error) => {
    assert.match(error.stack, /^MonoDemoError: stream\.create: .*\n(.*\n)*.*helper\.test\.mjs:\d+/);
    return true;
  });
  await broker.stop();
});

test("a program that forgets to stop ends by itself, and nothing of it is left", async () => {
  const script = join(folder, "forgets.mjs");
  writeFileSync(script, `import { startBroker } from ${JSON.stringify(helper)};\nconsole.log((await startBroker()).pid);\n`);
  const done = spawnSync(process.execPath, [script], { encoding: "utf8" });
  assert.equal(done.status, 0, done.stderr);
  await until(() => !lives(Number(done.stdout)));
});

test("nothing is left of a program that is killed", async () => {
  const script = join(folder, "killed.mjs");
  writeFileSync(
    script,
    `import { startBroker } from ${JSON.stringify(helper)};\nconsole.log((await startBroker()).pid);\nsetInterval(() => {}, 1000);\n`,
  );
  const child = spawn(process.execPath, [script], { stdio: ["ignore", "pipe", "inherit"] });
  const pid = Number(await new Promise((resolve) => child.stdout.once("data", resolve)));
  assert.ok(lives(pid));
  child.kill("SIGKILL");
  await until(() => !lives(pid));
});

test("another program, or none, is told", async () => {
  await stopAll();
  const other = join(folder, "mono-demo");
  const own = process.env["MONO_DEMO_BIN"];
  for (const [script, told] of /** @type {[string, RegExp][]} */ ([
    ["echo \"error: unrecognized subcommand 'control'\" >&2; exit 2", /older than this package/],
    ["echo hello", /has ended, with status 0/],
  ])) {
    writeFileSync(other, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
    process.env["MONO_DEMO_BIN"] = other;
    await assert.rejects(startBroker(), told);
    await stopAll();
  }
  process.env["MONO_DEMO_BIN"] = join(folder, "nowhere");
  await assert.rejects(startBroker(), /cannot start .*nowhere/);
  await stopAll();
  if (own === undefined) delete process.env["MONO_DEMO_BIN"];
  else process.env["MONO_DEMO_BIN"] = own;
});

test("a program that has ended, and whose child holds its output, is told all the same", async () => {
  const other = join(folder, "held");
  // A session of its own: nobody is left to be killed, and the pipe stays open.
  writeFileSync(other, "#!/bin/sh\nsetsid sleep 5 &\nexit 0\n", { mode: 0o755 });
  const own = process.env["MONO_DEMO_BIN"];
  process.env["MONO_DEMO_BIN"] = other;
  const pipe = new Pipe();
  if (own === undefined) delete process.env["MONO_DEMO_BIN"];
  else process.env["MONO_DEMO_BIN"] = own;
  await assert.rejects(pipe.greet(1000), /did not say who it is within 1 s/);
  await pipe.close();
});

test("a program that does not say who it is is told", async () => {
  const other = join(folder, "silent");
  writeFileSync(other, "#!/bin/sh\necho busy >&2\nsleep 600\n", { mode: 0o755 });
  const own = process.env["MONO_DEMO_BIN"];
  process.env["MONO_DEMO_BIN"] = other;
  const pipe = new Pipe();
  if (own === undefined) delete process.env["MONO_DEMO_BIN"];
  else process.env["MONO_DEMO_BIN"] = own;
  await assert.rejects(pipe.greet(300), /^MonoDemoError: hello: `.*silent control` did not say who it is within 0\.3 s/);
  await pipe.close();
});

/** A process that starts a broker with a stream and says how that went, with other surroundings. */
function elsewhere(/** @type {string[]} */ before, /** @type {NodeJS.ProcessEnv} */ env) {
  const script = join(folder, "elsewhere.mjs");
  writeFileSync(
    script,
    `import { startBroker } from ${JSON.stringify(helper)};
     try {
       const broker = await startBroker();
       await broker.stream({ name: "S", subjects: ["s"] });
       console.log("ready", broker.pid);
       await broker.stop();
     } catch (error) { console.log(String(error)); }\n`,
  );
  const [first = "", ...rest] = [...before, process.execPath, script];
  return spawnSync(first, rest, { encoding: "utf8", env }).stdout;
}

test("a home that nobody can write into is told, and needs nothing where a server is installed", () => {
  const { XDG_CACHE_HOME: cache, ...env } = process.env;
  const own = join(cache ?? join(String(env["HOME"]), ".cache"), "mono-demo");
  // Not even root can make a folder there.
  Object.assign(env, { HOME: "/proc/none", PATH: "/usr/bin:/bin" });
  const told = elsewhere([], env);
  assert.match(told, /broker\.start: could not use the folder \/proc\/none\/\.cache\/mono-demo: /);
  assert.match(told, /hint: make sure that you can write to that folder/);
  const installed = existsSync(own) ? readdirSync(own).filter((name) => name.startsWith("nats-server-")) : [];
  const server = installed.map((name) => join(own, name, "nats-server")).find((path) => existsSync(path));
  if (server !== undefined) assert.match(elsewhere([], { ...env, MONO_DEMO_NATS_SERVER: server }), /^ready /);
});

/** A test in a network or among disks of its own, where this user makes them so. */
function apart(/** @type {string} */ name, /** @type {string} */ space, /** @type {string} */ make, /** @type {(said: string) => void} */ check, use = ":") {
  const made = spawnSync("unshare", [space, "sh", "-c", make]).status === 0;
  test(name, { skip: !made && "this user makes no network and no disk of its own" }, () => {
    check(elsewhere(["unshare", space, "sh", "-c", `${make} && ${use}; exec "$@"`, "sh"], process.env));
  });
}

apart(
  "without IPv6",
  "--net",
  "echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6 && ip link set lo up",
  (said) => assert.match(said, /^ready /),
);

const disk = mkdtempSync(join(folder, "disk-"));
apart(
  "a full disk is told",
  "--mount",
  `mount -t tmpfs -o size=64k tmpfs ${disk}`,
  (said) => assert.match(said, /MonoDemoError: broker\.start: could not make .*: No space left on device/),
  `export TMPDIR=${disk}; head -c 1000000 /dev/zero > ${disk}/all 2>/dev/null`,
);

test("two processes at once know nothing of each other, and a control that dies is told", async () => {
  const script = join(folder, "other.mjs");
  writeFileSync(script, `import { startBroker } from ${JSON.stringify(helper)};\nconst b = await startBroker();\nawait b.stream({ name: "S", subjects: ["s"] });\nconsole.log(b.pid);\nsetInterval(() => {}, 1000);\n`);
  const child = spawn(process.execPath, [script], { stdio: ["ignore", "pipe", "inherit"] });
  const pid = Number(await new Promise((resolve) => child.stdout.once("data", resolve)));
  const broker = await startBroker();
  assert.notEqual(broker.pid, pid);
  await broker.stream({ name: "S", subjects: ["other"] });
  process.kill(controlOf(broker.pid), "SIGKILL");
  await assert.rejects(broker.kill(), /MonoDemoError: fault: `.* control` has ended, with SIGKILL/);
  await until(() => !lives(broker.pid));
  assert.ok(lives(pid));
  child.kill("SIGKILL");
  await until(() => !lives(pid));
  await stopAll();
});

test("the test of the page runs", () => {
  const page = readFileSync(new URL("../../docs/testing.md", import.meta.url), "utf8");
  const text = String(page.split("```js\n")[1]?.split("```")[0]).replace('"mono-demo/test"', JSON.stringify(helper));
  const script = join(folder, "page.test.mjs");
  writeFileSync(script, text);
  const env = { ...process.env };
  delete env["NODE_TEST_CONTEXT"]; // a run of its own
  const done = spawnSync(process.execPath, ["--test", script], { encoding: "utf8", env });
  assert.equal(done.status, 0, done.stdout);
  assert.match(done.stdout, /ok 1 - an acknowledgement is lost/);
});

test("scenarios are tests", () => {
  const made = spawnSync(String(process.env["MONO_DEMO_BIN"]), ["e2e", "new", "greetings"], { cwd: folder });
  assert.equal(made.status, 0);
  const suite = join(folder, "greetings");
  /** @type {[string, () => void][]} */
  const found = [];
  const collect = (/** @type {string} */ name, /** @type {() => void} */ body) => found.push([name, body]);
  scenarios(collect, suite, "--client", "rust");
  assert.deepEqual(found.map(([name]) => name), ["greets"]);
  const greets = /** @type {[string, () => void]} */ (found[0])[1];
  greets();
  const golden = join(suite, "scenarios/greets.snap");
  writeFileSync(golden, readFileSync(golden, "utf8").replace("Hello", "Goodbye"));
  assert.throws(greets, /Goodbye/);
  assert.throws(() => scenarios(collect, join(folder, "nowhere")), /nowhere/);
});

/** Processes of others cannot be awaited: they are looked for. */
async function until(/** @type {() => boolean} */ done) {
  const deadline = Date.now() + 20_000;
  while (!done()) {
    assert.ok(Date.now() < deadline);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
