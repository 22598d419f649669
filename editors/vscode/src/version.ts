/** Whether a version such as "0.1.0" is older than another. */
export function olderThan(version: string, other: string): boolean {
  const numbers = (text: string) => text.split(".").map((part) => Number.parseInt(part, 10) || 0);
  const [own, least] = [numbers(version), numbers(other)];
  for (let place = 0; place < least.length; place++) {
    const difference = (own[place] ?? 0) - (least[place] ?? 0);
    if (difference !== 0) {
      return difference < 0;
    }
  }
  return false;
}
