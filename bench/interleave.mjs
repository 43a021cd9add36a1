/** The same shuffle in each run, another in each lap: no runner always follows the same one. */
export function shuffled(runners, lap) {
  let state = lap + 1;
  const order = [...runners];
  for (let last = order.length - 1; last > 0; last--) {
    state = Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9 >>> 0;
    const other = state % (last + 1);
    [order[last], order[other]] = [order[other], order[last]];
  }
  return order;
}
