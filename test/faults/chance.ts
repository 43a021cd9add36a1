/** Runs the work with chance at a standstill, so that waits are as short, or as long, as a test needs them. */
export async function withRandom<Result>(value: number, work: () => Promise<Result>): Promise<Result> {
  const { random } = Math;
  Math.random = () => value;
  try {
    return await work();
  } finally {
    Math.random = random;
  }
}
