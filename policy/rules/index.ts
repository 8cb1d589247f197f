import type { Rule } from "../rule";
import { adminPortsClosed } from "./adminPorts";
import { amisApproved } from "./amis";
import { withinBudget } from "./budget";
import { dataProtected } from "./dataProtection";
import { disksEncrypted } from "./encryption";
import { hostKeysVerified } from "./hostKeys";
import { imagesPinned } from "./images";
import { instanceTypesBoot } from "./instanceTypes";
import { metadataAsIntended } from "./metadata";
import { tagged } from "./tags";

/** Every rule of the pack. */
export const rules: readonly Rule[] = [
  adminPortsClosed,
  hostKeysVerified,
  disksEncrypted,
  dataProtected,
  imagesPinned,
  amisApproved,
  instanceTypesBoot,
  metadataAsIntended,
  tagged,
  withinBudget,
];
