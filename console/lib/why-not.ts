/** What the API says one may (`can`), as what a button or a menu entry asks for (`blocked`): the reason why not, or nothing. */
export function whyNot(can: true | string): string | undefined {
  return can === true ? undefined : can;
}
