/** Stand-in for the random plugin. Not implemented: `bcryptHash`, and types other than these three. */
import { randomBytes, randomInt } from "node:crypto";
import { version } from "@pulumi/random/package.json";
import { diffInputs } from "../../rancher/plugin/diff";
import type { Props, Resource } from "../../rancher/plugin/types";
import { checkInputs, flag, number, standIn, text, type Inputs } from "./standIn";

/** Nothing outside Pulumi exists, so reading finds what was stored and deleting does nothing. */
function stored(
  type: string,
  inputs: Inputs,
  make: (inputs: Props) => { id: string; outputs: Props },
  secretOutputs: readonly string[] = [],
): Resource<null> {
  return {
    secretOutputs,
    check: checkInputs(type, inputs),
    diff: ({ oldInputs, inputs: news }) => diffInputs(oldInputs, news, { replace: true }),
    create: (_, news) => {
      const { id, outputs } = make(news);
      return Promise.resolve({ id, outputs: { ...news, ...outputs } });
    },
    read: (_, { id, inputs: news, outputs }) =>
      Promise.resolve({ state: { id, outputs }, inputs: news }),
    delete: () => Promise.resolve(),
  };
}

const classes = {
  upper: "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
  lower: "abcdefghijklmnopqrstuvwxyz",
  numeric: "0123456789",
  special: "!@#$%&*()-_=+[]{}<>:?",
} as const;

function pick(characters: string): string {
  return characters.charAt(randomInt(characters.length));
}

/** A random string of the wanted length with at least the wanted number of each class. */
export function randomText(inputs: Props): { result: string; settings: Props } {
  const length = number(inputs, "length") ?? 0;
  const allowed = {
    upper: flag(inputs, "upper") ?? true,
    lower: flag(inputs, "lower") ?? true,
    numeric: flag(inputs, "numeric") ?? flag(inputs, "number") ?? true,
    special: flag(inputs, "special") ?? true,
  };
  const least = {
    upper: number(inputs, "minUpper") ?? 0,
    lower: number(inputs, "minLower") ?? 0,
    numeric: number(inputs, "minNumeric") ?? 0,
    special: number(inputs, "minSpecial") ?? 0,
  };
  const characters = { ...classes, special: text(inputs, "overrideSpecial") ?? classes.special };
  const names = ["upper", "lower", "numeric", "special"] as const;
  const result = names.flatMap((name) =>
    Array.from({ length: least[name] }, () => pick(characters[name])),
  );
  const all = names.map((name) => (allowed[name] ? characters[name] : "")).join("");
  if (all === "") throw new Error("a random string needs at least one class of characters");
  if (result.length > length) throw new Error(`length ${length} is less than the minimums' sum`);
  while (result.length < length) result.push(pick(all));
  for (let i = result.length - 1; i > 0; i--) {
    const j = randomInt(i + 1);
    [result[i], result[j]] = [result[j] ?? "", result[i] ?? ""];
  }
  const settings = {
    ...allowed,
    number: allowed.numeric,
    minUpper: least.upper,
    minLower: least.lower,
    minNumeric: least.numeric,
    minSpecial: least.special,
  };
  return { result: result.join(""), settings };
}

const textInputs: Inputs = {
  shape: {
    length: "number",
    keepers: "map",
    lower: "boolean",
    upper: "boolean",
    number: "boolean",
    numeric: "boolean",
    special: "boolean",
    overrideSpecial: "string",
    minLower: "number",
    minUpper: "number",
    minNumeric: "number",
    minSpecial: "number",
  },
  required: ["length"],
};

const password = "random:index/randomPassword:RandomPassword";
const string = "random:index/randomString:RandomString";
const id = "random:index/randomId:RandomId";

/** The random plugin. */
export const random = standIn<null>("random", version, {
  configure: () => null,
  resources: {
    [password]: stored(
      password,
      textInputs,
      (inputs) => {
        const { result, settings } = randomText(inputs);
        return { id: "none", outputs: { ...settings, result } };
      },
      ["result", "bcryptHash"],
    ),
    [string]: stored(string, textInputs, (inputs) => {
      const { result, settings } = randomText(inputs);
      return { id: result, outputs: { ...settings, result } };
    }),
    [id]: stored(
      id,
      {
        shape: { byteLength: "number", keepers: "map", prefix: "string" },
        required: ["byteLength"],
      },
      (inputs) => {
        const bytes = randomBytes(number(inputs, "byteLength") ?? 0);
        const prefix = text(inputs, "prefix") ?? "";
        const hex = bytes.toString("hex");
        const b64Url = bytes.toString("base64url");
        return {
          id: b64Url,
          outputs: {
            hex: prefix + hex,
            dec: prefix + BigInt(`0x${hex}`).toString(),
            b64Std: prefix + bytes.toString("base64"),
            b64Url: prefix + b64Url,
          },
        };
      },
    ),
  },
});
