/** Lays out a stack and writes it as SVG: the internet above, the hosts of the site left, the server right. */
import type { Drawn, DrawnHost, DrawnRule, DrawnService } from "./model";
import { style } from "./style";
import {
  arrow,
  bottom,
  type Box,
  centre,
  element,
  escape,
  middle,
  rectangle,
  right,
  text,
} from "./svg";

/** Distances, all in the drawing's own units. */
const margin = 24;
const padding = 14;
const lineHeight = 17;
const actor = { width: 190, height: 50 } as const;
const card = { height: 92, gap: 12, info: 148 } as const;
const column = { width: 136, gap: 30, agent: 88 } as const;
const container = { height: 42, gap: 8 } as const;
/** Left of the hosts, where what they say among themselves is drawn. */
const loopLane = 116;
/** Between the two groups, for the arrows' labels. */
const arrowLane = 128;
const groupHeader = 34;
const server = { width: 224, info: 62, disk: 84 } as const;
/** Characters that fit into a service's box. */
const longestLine = 22;
/** Hosts that are drawn one by one; of more only the first few. */
const manyHosts = 6;
const firstHosts = 4;

/** Names of what answers at a port. */
const protocols: Readonly<Record<number, string>> = {
  22: "SSH",
  80: "HTTP",
  443: "HTTPS",
  500: "IPsec",
  2049: "NFS",
  3306: "MySQL",
  4500: "IPsec",
  8080: "Rancher",
};

/** Several rules between the same two, as one arrow. */
interface Passage {
  /** For instance `tcp 80, 443`. */
  readonly ports: string;
  /** For instance `HTTP, HTTPS`. */
  readonly names: string;
  readonly descriptions: string;
}

function unique<T>(values: readonly T[]): T[] {
  return [...new Set(values)];
}

function passage(rules: readonly DrawnRule[]): Passage {
  const sorted = [...rules].sort((a, b) => a.port - b.port);
  const ofProtocol = (protocol: string): string =>
    `${protocol} ${unique(sorted.filter((rule) => rule.protocol === protocol).map(({ port }) => port)).join(", ")}`;
  return {
    ports: unique(sorted.map(({ protocol }) => protocol))
      .map(ofProtocol)
      .join(", "),
    names: unique(sorted.map(({ port }) => protocols[port] ?? "")).join(", "),
    descriptions: unique(sorted.map(({ description }) => description)).join("; "),
  };
}

const comesFrom = (rule: DrawnRule): string =>
  "group" in rule.from ? rule.from.group : "internet";

/** The rules that lead from one place to another, on the ports given. */
function between(drawn: Drawn, from: string, to: string, ...ports: readonly number[]): DrawnRule[] {
  return drawn.rules.filter(
    (rule) =>
      rule.to === to &&
      comesFrom(rule) === from &&
      (ports.length === 0 || ports.includes(rule.port)),
  );
}

/** The ranges that rules let in, in few words. */
function ranges(rules: readonly DrawnRule[]): string {
  const cidrs = unique(rules.flatMap(({ from }) => ("cidr" in from ? [from.cidr] : []))).sort();
  if (cidrs.includes("0.0.0.0/0")) return "from anywhere";
  const [first = "", ...others] = cidrs;
  return others.length === 0 ? first : `${first} and ${others.length} more`;
}

/** Everything that has a place. */
interface Layout {
  readonly width: number;
  readonly height: number;
  readonly vpc: Box;
  readonly agents: Box;
  readonly cards: readonly { readonly host: DrawnHost | undefined; readonly box: Box }[];
  /** Horizontal place of each service's column. */
  readonly columns: readonly { readonly service: DrawnService; readonly x: number }[];
  readonly agentX: number;
  readonly server: Box;
  readonly serverCard: Box;
  readonly containers: readonly Box[];
  readonly disk: Box;
  readonly files: Box;
}

function layout(drawn: Drawn): Layout {
  const { agents, services } = drawn;
  const vpcX = margin;
  const top = margin + 36 + actor.height + 58;
  const groupsTop = top + 64;
  const cardsTop = groupsTop + groupHeader;

  const serverCardHeight =
    padding +
    server.info +
    drawn.containers.length * (container.height + container.gap) +
    server.disk +
    padding;
  const firstContainer = cardsTop + padding + server.info;
  const reach = firstContainer + 2 * (container.height + container.gap);

  const shown = agents.length > manyHosts ? agents.slice(0, firstHosts) : agents;
  const rows: (DrawnHost | undefined)[] =
    shown.length < agents.length ? [...shown, undefined] : [...shown];
  const natural = rows.length * (card.height + card.gap) - card.gap;
  // Arrows to the server are level, so the hosts reach as far down as the containers that they lead to.
  const cardsHeight = Math.max(natural, reach - cardsTop);
  const cardHeight = (cardsHeight + card.gap) / Math.max(rows.length, 1) - card.gap;
  const agentsX = vpcX + loopLane;
  const cardX = agentsX + padding;
  const cardWidth =
    padding +
    card.info +
    services.length * (column.width + column.gap) -
    12 +
    column.agent +
    padding;
  const agentsBox: Box = {
    x: agentsX,
    y: groupsTop,
    width: cardWidth + 2 * padding,
    height: groupHeader + cardsHeight + padding,
  };
  const serverBox: Box = {
    x: right(agentsBox) + arrowLane,
    y: groupsTop,
    width: server.width + 2 * padding,
    height: groupHeader + serverCardHeight + padding,
  };
  const serverCard: Box = {
    x: serverBox.x + padding,
    y: cardsTop,
    width: server.width,
    height: serverCardHeight,
  };
  const files: Box = {
    x: agentsX,
    y: bottom(agentsBox) + 54,
    width: agentsBox.width,
    height: 66,
  };
  const inside = { x: serverCard.x + padding, width: serverCard.width - 2 * padding };
  const vpcBottom = Math.max(bottom(files), bottom(serverBox)) + margin;
  const vpc: Box = {
    x: vpcX,
    y: top,
    width: right(serverBox) + margin - vpcX,
    height: vpcBottom - top,
  };
  return {
    width: right(vpc) + margin,
    height: bottom(vpc) + 54,
    vpc,
    agents: agentsBox,
    cards: rows.map((host, index) => ({
      host,
      box: {
        x: cardX,
        y: cardsTop + index * (cardHeight + card.gap),
        width: cardWidth,
        height: cardHeight,
      },
    })),
    columns: services.map((service, index) => ({
      service,
      x: cardX + padding + card.info + index * (column.width + column.gap),
    })),
    agentX: cardX + cardWidth - padding - column.agent,
    server: serverBox,
    serverCard,
    containers: drawn.containers.map((_, index) => ({
      ...inside,
      y: firstContainer + index * (container.height + container.gap),
      height: container.height,
    })),
    disk: {
      ...inside,
      y: bottom(serverCard) - padding - server.disk + 6,
      height: server.disk - 6,
    },
    files,
  };
}

/** A dot in the colour of a zone, and text beside it. */
function zoned(drawn: Drawn, x: number, y: number, zone: string, words: string): string {
  const index =
    Math.max(
      0,
      drawn.subnets.findIndex((subnet) => subnet.zone === zone),
    ) % 3;
  return (
    element("circle", { cx: x + 4, cy: y - 4, r: 4, class: `zone-${index}` }) +
    text(x + 13, y, words, "quiet")
  );
}

/** A container's box: its name, its image. */
function containerBox(box: Box, name: string, lines: readonly string[], group: string): string {
  const first = centre(box) - ((lines.length + 1) * lineHeight) / 2 + 13;
  return [
    rectangle(box, `in-${group}`, 6),
    text(middle(box), first, name, "strong", "middle"),
    ...lines.map((line, index) =>
      text(middle(box), first + (index + 1) * lineHeight, line, "small quiet", "middle"),
    ),
  ].join("\n");
}

/** What is left of an image when there is little room: its last part and its tag. */
function imageLines(image: string): string[] {
  const [name = "", tag] = (image.split("/").at(-1) ?? "").split(":");
  return [name, ...(tag === undefined ? [] : [tag])].map((line) =>
    line.length > longestLine ? `${line.slice(0, longestLine - 1)}…` : line,
  );
}

function group(box: Box, name: string, words: string): string {
  return [
    rectangle(box, `group-${name}`, 10),
    text(box.x + padding, box.y + 22, words, `strong name-${name}`),
  ].join("\n");
}

function hostCard(drawn: Drawn, host: DrawnHost, box: Box): string {
  const x = box.x + padding;
  const first = centre(box) - 1.5 * lineHeight + 4;
  return [
    rectangle(box, "card"),
    text(x, first, host.name, "strong"),
    text(x, first + lineHeight, host.publicIp),
    text(x, first + 2 * lineHeight, `${host.privateIp} · ${host.instanceType}`, "quiet"),
    zoned(drawn, x, first + 3 * lineHeight, host.zone, host.zone),
  ].join("\n");
}

function agentGroup(drawn: Drawn, places: Layout): string {
  const { cards, columns, agentX } = places;
  const parts = [group(places.agents, "agents", "security group: agents")];
  for (const { host, box } of cards) {
    if (host === undefined) {
      const rest = drawn.agents.slice(firstHosts);
      const names = `${rest[0]?.name ?? ""} to ${rest.at(-1)?.name ?? ""}`;
      parts.push(
        rectangle(box, "card"),
        text(box.x + padding, centre(box) - 4, `${rest.length} more hosts`, "strong"),
        text(box.x + padding, centre(box) + 13, names, "quiet"),
      );
    } else {
      parts.push(hostCard(drawn, host, box));
    }
    const inner = { y: box.y + 12, height: box.height - 24 };
    parts.push(
      containerBox({ x: agentX, width: column.agent, ...inner }, "agent", ["of Rancher"], "agents"),
    );
    columns.forEach(({ service, x }, index) => {
      const next = columns[index + 1];
      if (service.scale === undefined) {
        const lines = [...imageLines(service.image).slice(-1), "on every host"];
        parts.push(
          containerBox({ x, width: column.width, ...inner }, service.name, lines, "agents"),
        );
      }
      if (service.isBalancer && next !== undefined) {
        const from = x + column.width;
        parts.push(arrow(`M${from} ${centre(box)}H${next.x - 3}`, ""));
      }
    });
  }
  const first = cards[0]?.box;
  const last = cards.at(-1)?.box;
  if (first === undefined || last === undefined) return parts.join("\n");
  for (const { service, x } of columns) {
    if (service.scale === undefined) continue;
    const box = { x, y: first.y + 12, width: column.width, height: bottom(last) - first.y - 24 };
    const spread = drawn.agents.length > 1 ? ["spread over", "the hosts"] : [];
    const lines = [...imageLines(service.image), ...spread];
    parts.push(containerBox(box, `${service.name} × ${service.scale}`, lines, "agents"));
  }
  return parts.join("\n");
}

function serverGroup(drawn: Drawn, places: Layout): string {
  const { serverCard, disk } = places;
  const host = drawn.server;
  const x = serverCard.x + padding;
  const first = serverCard.y + padding + 12;
  const parts = [
    group(places.server, "server", "security group: server"),
    rectangle(serverCard, "card"),
  ];
  if (host !== undefined) {
    parts.push(
      text(x, first, host.name, "strong"),
      text(right(serverCard) - padding, first, host.instanceType, "quiet", "end"),
      text(x, first + lineHeight, `${host.publicIp} · ${host.privateIp}`),
      zoned(drawn, x, first + 2 * lineHeight, host.zone, host.zone),
    );
  }
  drawn.containers.forEach(({ name, image }, index) => {
    const box = places.containers[index];
    if (box !== undefined) parts.push(containerBox(box, name, [image], "server"));
  });
  if (drawn.disk !== undefined) {
    const { text: size, isEncrypted, isProtected, of } = drawn.disk;
    const properties = [
      ...(isEncrypted ? ["encrypted"] : []),
      ...(isProtected ? ["protected"] : []),
    ];
    const bend = 6;
    const [left, end] = [disk.x, right(disk)];
    const [up, down] = [disk.y + bend, bottom(disk) - bend];
    const half = disk.width / 2;
    parts.push(
      element("path", {
        d: `M${left} ${up}A${half} ${bend} 0 0 1 ${end} ${up}V${down}A${half} ${bend} 0 0 1 ${left} ${down}Z`,
        class: "in-server",
      }),
      element("path", {
        d: `M${left} ${up}A${half} ${bend} 0 0 0 ${end} ${up}`,
        class: "in-server",
      }),
      ...[`disk, ${size}`, properties.join(", "), `data of ${of.join(", ")}`].map((line, index) =>
        text(
          middle(disk),
          disk.y + 31 + index * 16,
          line,
          index === 2 ? "small quiet" : "small",
          "middle",
        ),
      ),
    );
  }
  return parts.join("\n");
}

function filesGroup(drawn: Drawn, { files }: Layout): string {
  if (drawn.files === undefined) return "";
  const { isEncrypted, isProtected, targets } = drawn.files;
  const words = [
    "EFS: wp-content of all replicas",
    ...(isEncrypted ? ["encrypted"] : []),
    ...(isProtected ? ["protected"] : []),
  ].join(", ");
  return [
    rectangle(files, "group-content", 10),
    text(files.x + padding, files.y + 22, "security group: content", "strong name-content"),
    text(files.x + padding, files.y + 46, words),
    ...targets.map(({ address, zone }, index) =>
      zoned(
        drawn,
        right(files) - padding - 184,
        files.y + 27 + index * 20,
        zone,
        `${address} in ${zone}`,
      ),
    ),
  ].join("\n");
}

/** Above the first column, where visitors come in. */
function visitorsX({ agents, columns }: Layout): number {
  const [entry] = columns;
  return entry === undefined ? middle(agents) : entry.x + column.width / 2;
}

/** What comes from the internet: who, and by which ports. */
function actors(drawn: Drawn, places: Layout): { svg: string; shown: DrawnRule[] } {
  const y = margin + 36;
  const shown: DrawnRule[] = [];
  const actorAt = (x: number, name: string, to: string, target: Box): string => {
    const rules = between(drawn, "internet", to);
    shown.push(...rules);
    const box = { x: x - actor.width / 2, y, ...actor };
    const { ports, names, descriptions } = passage(rules);
    const drawnRule =
      rules.length === 0
        ? []
        : [
            arrow(`M${x} ${bottom(box)}V${target.y - 3}`, descriptions),
            text(x + 10, bottom(box) + 25, ports, "strong"),
            text(x + 10, bottom(box) + 42, names, "quiet"),
          ];
    return [
      rectangle(box, "actor", 25),
      text(x, y + 22, name, "strong", "middle"),
      text(x, y + 39, rules.length === 0 ? "nobody" : ranges(rules), "quiet", "middle"),
      ...drawnRule,
    ].join("\n");
  };
  const svg = [
    actorAt(visitorsX(places), "Visitors", "agents", places.agents),
    actorAt(middle(places.server), "Administrators", "server", places.server),
  ].join("\n");
  return { svg, shown };
}

/** Arrows between the groups. */
function passages(drawn: Drawn, places: Layout): { svg: string; shown: DrawnRule[] } {
  const shown: DrawnRule[] = [];
  const parts: string[] = [];
  const from = right(places.agents);
  const to = places.server.x;
  const level = (rules: readonly DrawnRule[], y: number, isBack: boolean): void => {
    if (rules.length === 0) return;
    shown.push(...rules);
    const { ports, names, descriptions } = passage(rules);
    const middleX = (from + to) / 2;
    const path = isBack ? `M${to} ${y}H${from + 3}` : `M${from} ${y}H${to - 3}`;
    parts.push(
      arrow(path, descriptions),
      text(middleX, y - 7, ports, "strong", "middle"),
      text(middleX, y + 16, names, "quiet", "middle"),
    );
  };
  const yOf = (name: string, fallback: number): number => {
    const box = places.containers[drawn.containers.findIndex((one) => one.name === name)];
    return box === undefined ? fallback : centre(box);
  };
  const top = places.serverCard.y;
  level(between(drawn, "server", "agents"), top + 28, true);
  level(between(drawn, "agents", "server", 3306), yOf("site-db", top + 90), false);
  level(between(drawn, "agents", "server", 8080), yOf("rancher", top + 140), false);

  const among = between(drawn, "agents", "agents");
  const first = places.cards[0]?.box;
  const last = places.cards.at(-1)?.box;
  if (among.length > 0 && first !== undefined && last !== undefined) {
    shown.push(...among);
    const { names, descriptions } = passage(among);
    const x = places.agents.x;
    const [up, down] =
      first === last ? [first.y + 20, bottom(first) - 20] : [centre(first), centre(last)];
    const out = x - 26;
    parts.push(
      arrow(
        `M${x - 3} ${up}H${out + 10}Q${out} ${up} ${out} ${up + 10}V${down - 10}Q${out} ${down} ${out + 10} ${down}H${x - 3}`,
        descriptions,
        true,
      ),
      ...[...among.map(({ protocol, port }) => `${protocol} ${port}`), names].map(
        (line, index, lines) =>
          text(
            out - 8,
            (up + down) / 2 + (index - (lines.length - 1) / 2) * lineHeight + 4,
            line,
            index < lines.length - 1 ? "strong" : "quiet",
            "end",
          ),
      ),
    );
  }

  const toFiles = between(drawn, "agents", "content");
  if (toFiles.length > 0) {
    shown.push(...toFiles);
    const { ports, names, descriptions } = passage(toFiles);
    const web = places.columns.find(({ service }) => !service.isBalancer);
    const x = web === undefined ? middle(places.files) : web.x + column.width / 2;
    parts.push(
      arrow(`M${x} ${bottom(places.agents)}V${places.files.y - 3}`, descriptions),
      text(x + 10, bottom(places.agents) + 24, ports, "strong"),
      text(x + 10, bottom(places.agents) + 41, names, "quiet"),
    );
  }
  return { svg: parts.join("\n"), shown };
}

/** In words, for those who do not see it. */
function inWords(drawn: Drawn): string {
  const services = drawn.services.map(
    ({ name, scale }) =>
      `${name} (${scale === undefined ? "one on every host" : `${scale} containers`})`,
  );
  const rules = drawn.rules.map(
    (rule) =>
      `${rule.protocol} ${rule.port} from ${"cidr" in rule.from ? rule.from.cidr : rule.from.group} to ${rule.to}`,
  );
  return [
    `VPC ${drawn.vpcCidr} with ${drawn.subnets.length} subnets.`,
    `The server runs ${drawn.containers.map(({ name }) => name).join(", ")}.`,
    `${drawn.agents.length} agent hosts run ${services.join(" and ")}.`,
    `Open: ${rules.join("; ")}.`,
  ].join(" ");
}

/** The whole drawing, the same bytes for the same state. */
export function draw(drawn: Drawn): string {
  const places = layout(drawn);
  const { width, height, vpc } = places;
  const fromInternet = actors(drawn, places);
  const inside = passages(drawn, places);
  const shown = new Set([...fromInternet.shown, ...inside.shown]);
  const others = drawn.rules.filter((rule) => !shown.has(rule));
  const notes = [
    "Dashed: a security group. An arrow: what its rules let in; everything else is closed.",
    ...(drawn.isOpenOutwards ? ["Outwards every host may call anything."] : []),
    ...others.map(
      (rule) =>
        `Also ${rule.protocol} ${rule.port} from ${"cidr" in rule.from ? rule.from.cidr : rule.from.group} to ${rule.to}.`,
    ),
  ].join(" ");
  // Right of the visitors' arrow.
  const subnetsX = visitorsX(places) + 28;
  const subnets = drawn.subnets.map(({ cidr, zone }, index) =>
    zoned(drawn, subnetsX + index * 212, vpc.y + 30, zone, `${cidr} in ${zone}`),
  );
  const title = `${drawn.project}: stack ${drawn.stack}, ${drawn.region}`;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-labelledby="title description">`,
    `<title id="title">${escape(title)}</title>`,
    `<desc id="description">${escape(inWords(drawn))}</desc>`,
    `<style>${style}</style>`,
    '<defs><marker id="head" viewBox="0 0 10 10" refX="8" refY="5" markerWidth="8" markerHeight="8" orient="auto-start-reverse"><path class="head" d="M0 1 9 5 0 9Z"/></marker></defs>',
    element("rect", { width, height, rx: 12, class: "paper" }),
    text(margin, margin + 16, title, "title"),
    rectangle(vpc, "vpc", 12),
    text(vpc.x + padding, vpc.y + 30, `VPC ${drawn.vpcCidr}`, "strong"),
    ...subnets,
    agentGroup(drawn, places),
    serverGroup(drawn, places),
    filesGroup(drawn, places),
    fromInternet.svg,
    inside.svg,
    text(margin, height - 24, notes, "quiet"),
    "</svg>",
    "",
  ]
    .filter((part, index, all) => part !== "" || index === all.length - 1)
    .join("\n");
}
