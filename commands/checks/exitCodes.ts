/** What commands end with. 1 is an error of any other kind. */
export const exitCodes = {
  ok: 0,
  /** Something is not as it should be. */
  failed: 1,
  /** The stack is not what its program says. */
  drift: 2,
  /** `up` would fail. */
  preflight: 4,
} as const;
