/** `npm run preflight`: what would stop `pulumi up`, before it starts. */
import { environmentRegion, namespace, parseSettings } from "../config/settings";
import { accountChecks } from "./checks/account";
import { awsAnswers } from "./checks/awsAnswers";
import { configurationChecks, settled } from "./checks/configuration";
import { once, Unknown } from "./checks/engine";
import { run, styleOf } from "./checks/report";
import { exitCodes } from "./checks/exitCodes";
import { runCommand, stackOption } from "./cli";
import { Stack } from "./stack";

type Config = Awaited<ReturnType<Stack["config"]>>;

/** Credentials that the aws provider would take from the stack's configuration. */
function credentialsOf(config: Config): Parameters<typeof awsAnswers>[0]["credentials"] {
  const text = (key: string) => config[`aws:${key}`]?.value;
  if (text("assumeRoles") !== undefined || text("assumeRoleWithWebIdentity") !== undefined) {
    throw new Unknown(
      "the configuration has the aws provider assume a role, which this command does not",
      "run it with credentials of that role, on a stack that assumes none",
    );
  }
  const profile = text("profile");
  if (profile !== undefined) process.env["AWS_PROFILE"] = profile;
  const [accessKeyId, secretAccessKey] = [text("accessKey"), text("secretKey")];
  if (accessKeyId === undefined || secretAccessKey === undefined) return undefined;
  const sessionToken = text("token");
  return {
    accessKeyId,
    secretAccessKey,
    ...(sessionToken === undefined ? {} : { sessionToken }),
  };
}

void runCommand(
  {
    name: "preflight",
    summary:
      "Looks for what would stop `pulumi up`: the configuration, the key, the AWS account and its quotas. Changes nothing.",
    usage: "[--stack NAME] [--json]",
    details: [
      "--json         one JSON document instead of lines",
      `exit code      0: nothing failed, ${exitCodes.preflight}: something did, 1: it could not look`,
    ],
    options: { ...stackOption, json: { type: "boolean" } },
  },
  async ({ values }) => {
    const stack = new Stack(values["stack"] as string | undefined);
    const [name, config] = await Promise.all([stack.name(), stack.config()]);
    const configuration = once(() =>
      Promise.resolve(
        parseSettings({
          now: new Date(),
          values: Object.fromEntries(
            Object.entries(config).map(([key, { value }]) => [key, value]),
          ),
          secretKeys: new Set(Object.keys(config).filter((key) => config[key]?.secret === true)),
          environmentRegion: environmentRegion(),
          stackName: name,
        }),
      ),
    );
    const region = config["aws:region"]?.value ?? environmentRegion() ?? "us-east-1";
    const aws = once(async () =>
      Promise.resolve(
        awsAnswers({ region, project: namespace, stack: name, credentials: credentialsOf(config) }),
      ),
    );
    const groups = [
      configurationChecks({ configuration }),
      accountChecks({ settings: settled(configuration), aws }),
    ];
    const { ok } = await run(groups, {
      stack: name,
      commands: (text) => stack.inCommands(text),
      json: values["json"] === true,
      style: styleOf(process.stdout, process.env),
      print: (text) => {
        console.log(text);
      },
    });
    return ok ? exitCodes.ok : exitCodes.preflight;
  },
);
