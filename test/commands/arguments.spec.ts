import { strict as assert } from "node:assert";
import * as fc from "fast-check";
import { type CommandDescription, Problem, readArguments, stackOption } from "../../commands/cli";
import { chosen, type HostContainer, parseContainer } from "../../commands/containers";
import { hostNames, shellWords, sshArgs } from "../../commands/hosts";
import { checkWanted, labels, logCommand, parseLine } from "../../commands/logLines";
import { shellQuote } from "../../config/shell";

const other: CommandDescription = {
  name: "ssh",
  summary: "",
  usage: "HOST [-- COMMAND…]",
  options: stackOption,
  positionals: [0, 1],
  runsOther: true,
};

/** What follows `npm run ssh`, as it arrives; stack, host, command. */
const lines: readonly (readonly [readonly string[], string | undefined, string[], string[]])[] = [
  [[], undefined, [], []],
  [["agents-0"], undefined, ["agents-0"], []],
  [["agents-0", "docker", "ps", "-a"], undefined, ["agents-0"], ["docker", "ps", "-a"]],
  [["agents-0", "--", "docker", "ps"], undefined, ["agents-0"], ["docker", "ps"]],
  [["--stack", "dev", "agents-0", "ls"], "dev", ["agents-0"], ["ls"]],
  [["agents-0", "--stack", "dev", "--", "ls", "--stack"], "dev", ["agents-0"], ["ls", "--stack"]],
  [["agents-0", "--stack=dev"], "dev", ["agents-0"], []],
  [["agents-0", "ls", "--", "x"], undefined, ["agents-0"], ["ls", "--", "x"]],
];

const ofStack = {
  sshCommands: {
    "agents-10": "ssh -p 22 rancher@203.0.113.20",
    "agents-2": "ssh -p 22 rancher@203.0.113.12",
    server: "ssh -o 'KnownHostsCommand=/bin/echo a b' -p 22 rancher@203.0.113.10",
  },
};

const container = (host: string, name: string, service?: string): HostContainer => ({
  host,
  name,
  service,
  id: name,
  image: "",
  status: "Up 1 minute",
});
const containers = [
  container("server", "rancher-db"),
  container("agents-0", "wordpress-web-1", "wordpress/web"),
  container("agents-2", "wordpress-web-2", "wordpress/web"),
  container("agents-0", "wordpress-balancer-1", "wordpress/balancer"),
];

describe("arguments of the commands", () => {
  for (const [args, stack, positionals, rest] of lines) {
    it(`GIVEN ${args.join(" ") || "nothing"} THEN the command of the host is "${rest.join(" ")}"`, () => {
      const given = readArguments(other, args);
      assert.equal(given.values["stack"], stack);
      assert.deepEqual([given.positionals, given.other], [positionals, rest]);
    });
  }

  it("GIVEN an unknown option before the host's command THEN it is named with the usage", () => {
    assert.throws(
      () => readArguments(other, ["--stak", "dev", "server"]),
      (error) => error instanceof Problem && /--stak.*usage: npm run ssh/s.test(error.message),
    );
  });

  for (const [given, says] of [
    [{ since: "ten minutes" }, /--since is "ten minutes"; write a span such as 10m/],
    [{ since: "10" }, /--since/],
    [{ since: "" }, /--since/],
    [{ since: "10m; reboot" }, /--since/],
    [{ tail: "-1" }, /--tail is "-1"; write a number of lines, or all/],
    [{ tail: "1 $(id)" }, /--tail/],
  ] as const) {
    it(`GIVEN ${JSON.stringify(given)} for logs THEN it is refused before any host is asked`, () => {
      const wanted = { since: undefined, tail: undefined, follow: false, ...given };
      assert.throws(() => {
        checkWanted(wanted);
      }, says);
    });
  }

  it("GIVEN spans and times for logs THEN Docker is given them", () => {
    for (const since of ["10m", "1h30m", "90s", "2026-01-31", "2026-01-31T08:00:00Z"]) {
      const wanted = { since, tail: undefined, follow: true };
      checkWanted(wanted);
      assert.equal(
        logCommand("abc", wanted),
        `docker logs --timestamps --since ${since} --tail all --follow abc 2>&1`,
      );
    }
  });
});

describe("the way to the hosts", () => {
  it("GIVEN any words quoted for a shell THEN reading the line gives them back", () => {
    const word = fc.string({ minLength: 1 }).filter((text) => !text.includes("\0"));
    fc.assert(
      fc.property(fc.array(word, { minLength: 1 }), (words) => {
        assert.deepEqual(shellWords(words.map(shellQuote).join(" ")), words);
      }),
    );
  });

  it("GIVEN a host THEN further options stand before the destination", () => {
    assert.deepEqual(sshArgs(ofStack, "server", "-W", "127.0.0.1:8080"), [
      ...["-o", "KnownHostsCommand=/bin/echo a b", "-p", "22"],
      ...["-W", "127.0.0.1:8080", "rancher@203.0.113.10"],
    ]);
  });

  it("GIVEN hosts in any order THEN the server is first and numbers are in order", () => {
    assert.deepEqual(hostNames(ofStack), ["server", "agents-2", "agents-10"]);
  });

  it("GIVEN a host that is none THEN the nearest and all are named", () => {
    assert.throws(
      () => sshArgs(ofStack, "agent-2"),
      /no host "agent-2"; did you mean agents-2\? hosts: server, agents-2, agents-10/,
    );
  });
});

describe("the containers of a name", () => {
  for (const [name, found] of [
    ["web", ["wordpress-web-1", "wordpress-web-2"]],
    ["wordpress/web", ["wordpress-web-1", "wordpress-web-2"]],
    ["wordpress-web-2", ["wordpress-web-2"]],
    ["rancher-db", ["rancher-db"]],
  ] as const) {
    it(`GIVEN ${name} THEN they are ${found.join(", ")}`, () => {
      assert.deepEqual(
        chosen(containers, name).map((one) => one.name),
        found,
      );
    });
  }

  it("GIVEN a name of nothing THEN the nearest and all are named", () => {
    assert.throws(
      () => chosen(containers, "balancr"),
      /nothing is called "balancr"; did you mean balancer\? there are: balancer, rancher-db, web/,
    );
  });

  it("GIVEN a line of Docker's list THEN Rancher's name goes before Docker's", () => {
    const line = "abc|r-wordpress-web-1-5f|wordpress/web|wordpress-web-1|wordpress:6|Up 2 hours";
    const expected = { ...container("agents-0", "wordpress-web-1", "wordpress/web"), id: "abc" };
    assert.deepEqual(parseContainer("agents-0", line), {
      ...expected,
      image: "wordpress:6",
      status: "Up 2 hours",
    });
    assert.equal(parseContainer("server", "abc|rancher|||x:1|Up 1 hour")?.name, "rancher");
    assert.equal(parseContainer("server", "no container"), undefined);
  });

  it("GIVEN the same name on two hosts THEN its lines also tell the host", () => {
    const two = [container("agents-0", "rancher-agent"), container("agents-1", "rancher-agent")];
    assert.deepEqual(labels([...two, container("server", "x")], false), [
      "rancher-agent@agents-0 |",
      "rancher-agent@agents-1 |",
      "x                      |",
    ]);
  });

  it("GIVEN a line with its time THEN both are told apart, and other lines stay whole", () => {
    assert.deepEqual(parseLine("2026-11-28T00:34:21.000000001Z  two  spaces"), {
      time: "2026-11-28T00:34:21.000000001Z",
      text: " two  spaces",
    });
    assert.deepEqual(parseLine("Error: no such container"), {
      time: "",
      text: "Error: no such container",
    });
  });
});
