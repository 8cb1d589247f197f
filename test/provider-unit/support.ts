/** What the provider's unit tests share. */
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
