import { RebootInstancesCommand } from "@aws-sdk/client-ec2";
import { strict as assert } from "node:assert";
import { eventually, onMachine, outputs, pulumi } from "./lab";
import {
  agentMachines,
  ec2,
  type Machine,
  page,
  type Replica,
  replicas,
  revokeIngress,
  spreadReplicas,
} from "./site";

/** Where uploads are, in a container and in an address. */
const uploads = "wp-content/uploads";

/** Runs a command in a replica as the user that Apache runs as. */
function inReplica({ machine, container }: Replica, command: string): Promise<string> {
  return onMachine(machine.id, `docker exec -u www-data ${container} sh -c '${command}'`);
}

/** A file with this text must be there in every replica and through every balancer. */
async function everywhere(name: string, text: string, count: number): Promise<void> {
  const all = await replicas();
  assert.equal(all.length, count);
  for (const replica of all) {
    assert.equal(await inReplica(replica, `cat /var/www/html/${uploads}/${name}`), text);
  }
  for (const url of (await outputs()).siteUrls) {
    // The balancer takes turns.
    for (let i = 0; i < 2 * count; i++) {
      assert.deepEqual(await page(`${url}/${uploads}/${name}`), { status: 200, body: text });
    }
  }
}

function wordPressOn({ id }: Machine): Promise<string> {
  return onMachine(id, "docker ps --format '{{.Image}}' | grep '/wordpress:' || true");
}

/** GIVEN a lab on which `up` has run; each test leaves the stack as it found it. */
describe("the content that replicas share", function () {
  this.timeout("15m");
  this.bail(true);
  const name = `e2e-${Date.now().toString(36)}.txt`;
  const text = "written through one";

  before("replicas are on two hosts", spreadReplicas);

  after("the file goes", async () => {
    const [any] = await replicas();
    if (any !== undefined) await inReplica(any, `rm -f /var/www/html/${uploads}/${name}`);
  });

  it("GIVEN replicas on two hosts WHEN one writes a file THEN all have it", async () => {
    const [one, ...others] = await replicas();
    assert.ok(one !== undefined && others.some((r) => r.machine.id !== one.machine.id));
    await inReplica(one, `mkdir -p /var/www/html/${uploads}`);
    await inReplica(one, `printf "${text}" > /var/www/html/${uploads}/${name}`);
    await everywhere(name, text, 2);
  });

  it("GIVEN the image's own plugins and themes THEN each is there once, whole, and the site's user's", async () => {
    for (const replica of await replicas()) {
      const content = "/var/www/html/wp-content";
      const compared = await inReplica(
        replica,
        `for part in plugins themes; do diff -r /usr/src/wordpress/wp-content/$part ${content}/$part; done 2>&1 || true`,
      );
      assert.equal(compared, "");
      const foreign = await inReplica(
        replica,
        `find ${content}/plugins ${content}/themes ! -user www-data`,
      );
      assert.equal(foreign, "");
      assert.equal(await inReplica(replica, `ls -A ${content} | grep -c draft || true`), "0");
    }
  });

  it("WHEN the site scales up and down THEN the file stays", async () => {
    await pulumi("config", "set", "wordpressScale", "4");
    await pulumi("up", "--yes", "--skip-preview");
    await everywhere(name, text, 4);
    await pulumi("config", "set", "wordpressScale", "2");
    await pulumi("up", "--yes", "--skip-preview");
    await everywhere(name, text, 2);
  });

  it("WHEN an agent host is replaced THEN the file is on its successor", async () => {
    const [before] = await agentMachines();
    await pulumi("up", "--yes", "--skip-preview", "--replace", "**::agents-0-instance");
    const [after] = await agentMachines();
    assert.ok(before !== undefined && after !== undefined);
    assert.notEqual(after.id, before.id);
    await eventually("two replicas", 120, async () =>
      (await replicas()).length === 2 ? true : undefined,
    );
    assert.equal(await onMachine(after.id, `cat /mnt/shared/${uploads}/${name}`), text);
    await everywhere(name, text, 2);
    await pulumi("preview", "--refresh", "--expect-no-changes");
  });

  describe("WHEN a host comes back and its mount target does not let it in", () => {
    let closed: Machine;
    let other: string;

    before("it restarts, with the rule gone", async () => {
      const [first] = await agentMachines();
      assert.ok(first !== undefined);
      closed = first;
      other = (await outputs()).siteUrls.at(1) ?? "";
      await revokeIngress("tcp", 2049);
      const started = await onMachine(closed.id, "cat /proc/1/stat | cut -d' ' -f22");
      await ec2().send(new RebootInstancesCommand({ InstanceIds: [closed.id] }));
      await eventually("the host restarts", 60, async () =>
        (await onMachine(closed.id, "cat /proc/1/stat | cut -d' ' -f22")) === started
          ? undefined
          : true,
      );
    });

    it("THEN SSH and Docker answer all the same, at once", async () => {
      const banner = `bash -c 'exec 3<>/dev/tcp/127.0.0.1/22 && head -c 8 <&3'`;
      await eventually("SSH", 15, async () =>
        (await onMachine(closed.id, banner)) === "SSH-2.0-" ? true : undefined,
      );
      await eventually("Docker and the agent", 30, async () =>
        (await onMachine(closed.id, "docker ps --format '{{.Names}}'")).includes("rancher-agent")
          ? true
          : undefined,
      );
      assert.match(await onMachine(closed.id, "pgrep -f mount-shared.sh"), /^\d+/);
    });

    it("THEN it runs no WordPress, nothing is written there, and the other host serves the site", async () => {
      const image = await onMachine(
        closed.id,
        "docker images --format '{{.Repository}}:{{.Tag}}' | grep wordpress",
      );
      const run = `docker run --rm --entrypoint true -v /mnt/shared/wp-content:/x ${image} 2>&1 || true`;
      assert.match(await onMachine(closed.id, run), /mkdir .*: operation not permitted/);
      // Longer than Rancher's first pauses between tries.
      for (const end = Date.now() + 30_000; Date.now() < end;) {
        assert.equal(await wordPressOn(closed), "");
        assert.equal(await onMachine(closed.id, "ls -A /mnt/shared"), "");
        assert.equal((await page(`${other}/${uploads}/${name}`)).body, text);
        await new Promise((resolve) => setTimeout(resolve, 2000));
      }
    });

    it("THEN it heals by itself when the target answers", async () => {
      await pulumi("up", "--yes", "--skip-preview", "--refresh");
      await eventually("WordPress runs there again", 180, async () =>
        (await wordPressOn(closed)) === "" ? undefined : true,
      );
      // The host's balancer comes back with it, and a replica runs before it is well.
      await eventually("the file is everywhere", 90, async () => {
        await everywhere(name, text, 2);
        return true;
      });
      await eventually("nothing is left to change", 60, async () => {
        await pulumi("preview", "--refresh", "--expect-no-changes");
        return true;
      });
    });
  });
});
