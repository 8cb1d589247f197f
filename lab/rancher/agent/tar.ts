/** A tar archive of one file, as Docker's archive API takes and gives it. */

const BLOCK = 512;

/**
 * Archive with one file that belongs to root.
 * @param name without folders, at most 99 bytes
 * @param mode permission bits
 */
export function tarFile(name: string, content: string, mode: number): Buffer {
  if (Buffer.byteLength(name) > 99) throw new Error(`file name ${name} is too long for an archive`);
  const data = Buffer.from(content);
  const header = Buffer.alloc(BLOCK);
  const octal = (value: number, offset: number, width: number): void => {
    header.write(value.toString(8).padStart(width - 1, "0"), offset);
  };
  header.write(name, 0);
  octal(mode, 100, 8);
  octal(0, 108, 8);
  octal(0, 116, 8);
  octal(data.length, 124, 12);
  octal(Math.floor(Date.now() / 1000), 136, 12);
  header.write("0", 156);
  header.write("ustar\0" + "00", 257);
  // The checksum is summed over the header with its own field as spaces.
  header.fill(" ", 148, 156);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(sum.toString(8).padStart(6, "0") + "\0 ", 148);
  const padding = Buffer.alloc(((BLOCK - (data.length % BLOCK)) % BLOCK) + 2 * BLOCK);
  return Buffer.concat([header, data, padding]);
}

/** Content of the first plain file in an archive; undefined when there is none. */
export function readTarFile(archive: Buffer): string | undefined {
  let offset = 0;
  while (offset + BLOCK <= archive.length && archive[offset] !== 0) {
    const size = parseInt(archive.toString("latin1", offset + 124, offset + 135).trim(), 8);
    const type = archive.toString("latin1", offset + 156, offset + 157);
    const start = offset + BLOCK;
    if (type === "0" || type === "\0") return archive.toString("utf8", start, start + size);
    offset = start + Math.ceil(size / BLOCK) * BLOCK;
  }
  return undefined;
}
