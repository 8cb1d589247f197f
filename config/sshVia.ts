/** The ways that SSH takes to the server. */
export const sshVias = ["direct", "instance-connect-endpoint"] as const;

/**
 * How SSH reaches the server: at its public address, from the ranges of `adminCidrs`, or from anywhere
 * through an EC2 Instance Connect Endpoint, which lets in whom IAM lets in.
 */
export type SshVia = (typeof sshVias)[number];
