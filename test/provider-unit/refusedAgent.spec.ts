import * as assert from "node:assert/strict";
import { connect as dial } from "node:net";
import { AGENT_PATH } from "../../lab/rancher/protocol";
import { type RunningServer, startServer } from "../../lab/rancher/server/server";
import { MemoryStore } from "../../lab/rancher/server/store";

describe("a refused agent, on the lab's server", () => {
  let server: RunningServer;
  before(async () => {
    server = await startServer({ store: new MemoryStore(), port: 0, host: "127.0.0.1" });
  });
  after(() => server.close());

  for (const [what, path, status] of [
    ["without a key", AGENT_PATH, 401],
    ["at another path", "/elsewhere", 404],
  ] as const) {
    it(`GIVEN one ${what} WHEN it hangs up at once THEN the server goes on`, async () => {
      const { hostname, port } = new URL(server.url);
      for (let n = 0; n < 20; n++) {
        await new Promise<void>((resolve) => {
          const socket = dial(Number(port), hostname, () => {
            socket.write(
              `GET ${path} HTTP/1.1\r\nHost: lab\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`,
              () => socket.resetAndDestroy(),
            );
          });
          socket.on("error", () => undefined);
          socket.on("close", () => resolve());
        });
      }
      const answer = await new Promise<string>((resolve) => {
        const socket = dial(Number(port), hostname, () => {
          socket.write(
            `GET ${path} HTTP/1.1\r\nHost: lab\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`,
          );
        });
        socket.once("data", (data) => {
          socket.destroy();
          resolve(data.toString());
        });
      });
      assert.match(answer, new RegExp(`^HTTP/1.1 ${status} `));
      assert.equal((await fetch(`${server.url}/v2-beta`)).status, 200);
    });
  }
});
