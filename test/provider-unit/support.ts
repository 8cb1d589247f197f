/** What the provider's unit tests share. */
import * as assert from "node:assert/strict";
import { Client, type Credentials } from "../../rancher/client/client";
import type { Call } from "../../rancher/plugin/types";
import { FakeRancher, type Fault, type Request } from "./fakeRancher";

/** URN of resources in these tests. */
export const URN = "urn:pulumi:dev::test::rancher:index:Thing::thing";

/** A call that records its status lines. */
export interface TestCall extends Call {
  readonly lines: string[];
  readonly controller: AbortController;
}

/** An operation's context; `seconds` is what `customTimeouts` would allow. */
export function call(seconds = 10, urn = URN): TestCall {
  const controller = new AbortController();
  const lines: string[] = [];
  return {
    urn,
    controller,
    signal: controller.signal,
    timeoutSeconds: seconds,
    lines,
    status: (line) => lines.push(line),
  };
}

/** A fake server and a client of it, stopped after each test. */
export function withServer(): { server: FakeRancher; client: Client; url: string } {
  const context = {} as { server: FakeRancher; client: Client; url: string };
  beforeEach(async () => {
    context.server = new FakeRancher();
    context.url = await context.server.start();
    context.client = connect(context.url);
  });
  afterEach(() => {
    context.client.close();
    context.server.stop();
  });
  return context;
}

/** Another client of the same server. */
export function connect(url: string, credentials?: Credentials): Client {
  return Client.create({ url, ...(credentials === undefined ? {} : { credentials }) });
}

/** The error with which a promise is rejected. */
export async function failure(promise: Promise<unknown>): Promise<Error> {
  try {
    await promise;
  } catch (error) {
    return error as Error;
  }
  throw new Error("it should have failed");
}

/** Fails the first `times` requests that match. */
export function first(
  times: number,
  fault: Fault,
  matching: (request: Request) => boolean,
): (request: Request) => Fault {
  let left = times;
  return (request) => {
    if (!matching(request) || left === 0) return undefined;
    left -= 1;
    return fault;
  };
}

/**
 * Runs something over and over on the same server, each time with one request more before everything
 * ends, until it ends well. `after` gets what came of each run: an error or its result.
 */
export async function endedAnywhere(
  server: FakeRancher,
  fault: "drop" | "lose",
  run: (operation: TestCall) => Promise<unknown>,
  after: (ended: unknown) => Promise<void>,
): Promise<void> {
  for (let dead = 1; dead < 40; dead++) {
    let count = 0;
    const operation = call(5);
    server.fault = () => {
      count += 1;
      if (count < dead) return undefined;
      operation.controller.abort();
      return fault;
    };
    const ended = await run(operation).catch((error: unknown) => error);
    server.fault = () => undefined;
    await after(ended);
    if (!(ended instanceof Error)) return;
  }
  throw new Error("the run has more requests than this test tries");
}

/** Tests that a thing counts as gone in these states, and for these answers of the server. */
export function goneWhen(
  states: readonly string[],
  context: { readonly server: FakeRancher },
  make: () => Promise<{ readonly id: string; read(): Promise<unknown> }>,
): void {
  for (const state of states) {
    it(`GIVEN ${state} THEN it is gone`, async () => {
      const { id, read } = await make();
      Object.assign(context.server.docs.get(id) as object, { state });
      assert.equal(await read(), undefined);
    });
  }
  for (const status of [403, 404]) {
    it(`GIVEN ${status} THEN it is gone`, async () => {
      const { read } = await make();
      context.server.fault = () => ({ status });
      assert.equal(await read(), undefined);
    });
  }
}
