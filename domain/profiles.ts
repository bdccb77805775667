/** What people choose for themselves: picture, language, time zone, theme. Pictures are known by their first bytes. */
export const themes = ['light', 'dark', 'system'] as const;
export type Theme = (typeof themes)[number];

/** Dates and numbers are written the way of these; BCP 47. */
export const languages = {
  'en-GB': 'English (United Kingdom)',
  'en-US': 'English (United States)',
  cs: 'Čeština',
  da: 'Dansk',
  de: 'Deutsch',
  es: 'Español',
  et: 'Eesti',
  fi: 'Suomi',
  fr: 'Français',
  it: 'Italiano',
  lt: 'Lietuvių',
  lv: 'Latviešu',
  nb: 'Norsk bokmål',
  nl: 'Nederlands',
  pl: 'Polski',
  pt: 'Português',
  sv: 'Svenska',
  uk: 'Українська',
} as const;
export type Language = keyof typeof languages;
export const LANGUAGE_DEFAULT = 'en-GB' satisfies Language;

/** True for names of the IANA time zone database that this runtime knows; offsets such as `+02:00` are none. */
export function isTimeZone(value: string): boolean {
  if (value !== 'UTC' && !/^[A-Za-z]+(?:[/_+-][A-Za-z0-9]+)+$/.test(value)) return false;
  try {
    new Intl.DateTimeFormat('en', { timeZone: value });
    return true;
  } catch {
    return false;
  }
}

export const PICTURE_BYTES_MAX = 128 * 1024;
/** Width and height; what a picture says of itself must be believable before a browser is asked to unpack it. */
export const PICTURE_SIDE_MAX = 2048;

export const pictureTypes = ['image/png', 'image/jpeg', 'image/webp'] as const;
export type PictureType = (typeof pictureTypes)[number];

/** Type and size of a PNG, JPEG or WebP file by its own bytes; null for anything else (SVG holds scripts). */
export function readPicture(bytes: Uint8Array): { type: PictureType; width: number; height: number } | null {
  return readPng(bytes) ?? readJpeg(bytes) ?? readWebp(bytes);
}

function text(bytes: Uint8Array, at: number, length: number): string {
  return String.fromCharCode(...bytes.subarray(at, at + length));
}

function view(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

const PNG_SIGNATURE = '\x89PNG\r\n\x1a\n';

function readPng(bytes: Uint8Array): { type: 'image/png'; width: number; height: number } | null {
  if (bytes.length < 33 || text(bytes, 0, 8) !== PNG_SIGNATURE || text(bytes, 12, 4) !== 'IHDR') return null;
  return { type: 'image/png', width: view(bytes).getUint32(16), height: view(bytes).getUint32(20) };
}

/** Walks the segments up to the frame header (SOF0 to SOF15 but DHT, JPG and DAC). */
function readJpeg(bytes: Uint8Array): { type: 'image/jpeg'; width: number; height: number } | null {
  if (bytes.length < 4 || bytes[0] !== 0xff || bytes[1] !== 0xd8) return null;
  for (let at = 2; at + 9 < bytes.length; ) {
    if (bytes[at] !== 0xff) return null;
    const marker = bytes[at + 1] ?? 0;
    if (marker === 0xff) {
      at++;
      continue;
    }
    if (marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker)) {
      return { type: 'image/jpeg', height: view(bytes).getUint16(at + 5), width: view(bytes).getUint16(at + 7) };
    }
    const length = view(bytes).getUint16(at + 2);
    if (length < 2) return null;
    at += 2 + length;
  }
  return null;
}

function readWebp(bytes: Uint8Array): { type: 'image/webp'; width: number; height: number } | null {
  if (bytes.length < 30 || text(bytes, 0, 4) !== 'RIFF' || text(bytes, 8, 4) !== 'WEBP') return null;
  const data = view(bytes);
  const type = 'image/webp' as const;
  switch (text(bytes, 12, 4)) {
    case 'VP8 ':
      return { type, width: data.getUint16(26, true) & 0x3fff, height: data.getUint16(28, true) & 0x3fff };
    case 'VP8L': {
      const bits = data.getUint32(21, true);
      return { type, width: (bits & 0x3fff) + 1, height: ((bits >>> 14) & 0x3fff) + 1 };
    }
    case 'VP8X': {
      const at = (offset: number) => data.getUint16(offset, true) + ((bytes[offset + 2] ?? 0) << 16) + 1;
      return { type, width: at(24), height: at(27) };
    }
    default:
      return null;
  }
}

/** Why `bytes` cannot be somebody's picture, in words for the person; null when it can. */
export function pictureProblem(bytes: Uint8Array): string | null {
  if (bytes.length > PICTURE_BYTES_MAX) return `At most ${PICTURE_BYTES_MAX / 1024} KiB.`;
  const picture = readPicture(bytes);
  if (picture === null) return 'Not a PNG, JPEG or WebP picture.';
  const { width, height } = picture;
  if (width < 1 || height < 1 || width > PICTURE_SIDE_MAX || height > PICTURE_SIDE_MAX) {
    return `At most ${PICTURE_SIDE_MAX} by ${PICTURE_SIDE_MAX} pixels.`;
  }
  return null;
}
