import { strict as assert } from "node:assert";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { type Ask, sshProblem } from "../../config/sshClient";
import { sshPublicKey } from "./program";

/** A machine whose programs say this; one that is not named is not there. */
function machine(programs: Readonly<Record<string, string>>) {
  const asked: string[] = [];
  const run: Ask = (program, args, environment = {}) => {
    asked.push([program, ...args, ...Object.values(environment)].join(" "));
    return programs[program];
  };
  return { problem: sshProblem(sshPublicKey, run), asked };
}

describe("sshProblem", () => {
  it("GIVEN an agent with the key, under whatever comment THEN nothing is wrong", () => {
    const [kind, body] = sshPublicKey.split(" ");
    const agent = `ssh-rsa AAAA other\n${kind ?? ""} ${body ?? ""} card 7\n`;
    assert.equal(machine({ ssh: "", "ssh-add": agent }).problem, undefined);
  });

  it("GIVEN no agent, or one with other keys THEN it says which setting and what to do", () => {
    for (const agent of ["", "ssh-rsa AAAA other\n"]) {
      assert.match(
        machine({ ssh: "", "ssh-add": agent }).problem ?? "",
        /rancher-cattle:sshPublicKey.*ssh-add/,
      );
    }
  });

  it("GIVEN no ssh, or one that does not know the option THEN it asks for a newer one", () => {
    assert.match(machine({}).problem ?? "", /OpenSSH 8\.5/);
  });

  it("GIVEN an agent of the ssh configuration THEN that one is asked", () => {
    const { asked } = machine({ ssh: "user root\nidentityagent /run/vault.sock\n" });
    assert.ok(asked.includes("ssh-add -L /run/vault.sock"));
  });

  it("GIVEN the key's file, alone or beside its public half THEN nothing is wrong", () => {
    const folder = mkdtempSync(path.join(tmpdir(), "keys-"));
    const file = path.join(folder, "id");
    const ssh = `identityfile ${file}\n`;
    try {
      writeFileSync(file, "a private key");
      assert.equal(machine({ ssh, "ssh-keygen": sshPublicKey }).problem, undefined);
      assert.notEqual(machine({ ssh }).problem, undefined);
      writeFileSync(`${file}.pub`, sshPublicKey);
      assert.equal(machine({ ssh }).problem, undefined);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
