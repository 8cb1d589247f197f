/** A mail server that takes everything after STARTTLS and a login, and keeps it. */
import { createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { createSecureContext, TLSSocket } from "node:tls";
import type { SelfMade } from "../certificate";

/** One mail as it arrived. */
export interface Received {
  readonly login: string;
  readonly sender: string;
  readonly recipient: string;
  readonly text: string;
}

/** What a client has said so far. */
interface Session {
  login: string;
  sender: string;
  recipient: string;
}

/** A running server. */
export class MailSink {
  readonly received: Received[] = [];
  /** Every line that came in clear text. */
  readonly clear: string[] = [];

  private constructor(
    private readonly server: Server,
    private readonly own: SelfMade,
  ) {}

  /** Starts one on a free port. */
  static async start(own: SelfMade): Promise<MailSink> {
    const server = createServer();
    const sink = new MailSink(server, own);
    server.on("connection", (socket) => sink.greet(socket));
    await new Promise<void>((resolve) => server.listen(0, "0.0.0.0", resolve));
    return sink;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  stop(): void {
    this.server.close();
  }

  private greet(socket: Socket): void {
    socket.on("error", () => socket.destroy());
    socket.write("220 sink\r\n");
    lines(socket, (line) => {
      this.clear.push(line);
      if (/^EHLO/i.test(line)) socket.write("250-sink\r\n250 STARTTLS\r\n");
      else if (/^STARTTLS/i.test(line)) {
        socket.removeAllListeners("data");
        socket.write("220 go on\r\n");
        const secureContext = createSecureContext({
          cert: this.own.certificate,
          key: this.own.key,
        });
        this.talk(new TLSSocket(socket, { isServer: true, secureContext }));
      } else socket.end("530 STARTTLS first\r\n");
    });
  }

  private talk(socket: Socket): void {
    const session: Session = { login: "", sender: "", recipient: "" };
    let text: string[] | undefined;
    let expectsLogin = false;
    socket.on("error", () => socket.destroy());
    lines(socket, (line) => {
      if (text !== undefined) {
        if (line !== ".") return void text.push(line);
        this.received.push({ ...session, text: text.join("\n") });
        text = undefined;
        socket.write("250 kept\r\n");
      } else if (expectsLogin) {
        session.login = Buffer.from(line, "base64").toString().split("\0").slice(1).join(":");
        expectsLogin = false;
        socket.write("235 welcome\r\n");
      } else if (/^EHLO/i.test(line)) socket.write("250-sink\r\n250 AUTH PLAIN\r\n");
      else if (/^AUTH PLAIN$/i.test(line)) {
        expectsLogin = true;
        socket.write("334 \r\n");
      } else if (/^DATA/i.test(line)) {
        text = [];
        socket.write("354 go on\r\n");
      } else if (/^QUIT/i.test(line)) socket.end("221 bye\r\n");
      else {
        session.sender = /^MAIL FROM:<(.*?)>/i.exec(line)?.[1] ?? session.sender;
        session.recipient = /^RCPT TO:<(.*?)>/i.exec(line)?.[1] ?? session.recipient;
        socket.write("250 fine\r\n");
      }
    });
  }
}

/** Calls for each line that arrives. */
function lines(socket: Socket, take: (line: string) => void): void {
  let rest = "";
  socket.on("data", (chunk: Buffer) => {
    const parts = (rest + chunk.toString()).split("\r\n");
    rest = parts.pop() ?? "";
    parts.forEach(take);
  });
}
