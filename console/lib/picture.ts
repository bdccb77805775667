/** Makes a small square of a chosen picture, in the browser: what is uploaded holds no place, camera or date. */
import { PICTURE_BYTES_MAX } from '#domain/profiles.ts';

const SIDE = 256;

/** The picture in base64, without a prefix. Errors: Error in words for the person. */
export async function squarePicture(file: File): Promise<string> {
  const bitmap = await createImageBitmap(file).catch(() => {
    throw new Error('This file is no picture that the browser can read.');
  });
  const side = Math.min(bitmap.width, bitmap.height);
  const canvas = document.createElement('canvas');
  canvas.width = SIDE;
  canvas.height = SIDE;
  canvas
    .getContext('2d')
    ?.drawImage(bitmap, (bitmap.width - side) / 2, (bitmap.height - side) / 2, side, side, 0, 0, SIDE, SIDE);
  bitmap.close();
  const blob = await new Promise<Blob | null>((resolve) => canvas.toBlob(resolve, 'image/jpeg', 0.88));
  if (blob === null || blob.size > PICTURE_BYTES_MAX) throw new Error('The picture could not be made small enough.');
  const bytes = new Uint8Array(await blob.arrayBuffer());
  let text = '';
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text);
}
