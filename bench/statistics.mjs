function quantile(values, share) {
  const sorted = [...values].sort((a, b) => a - b);
  const position = (sorted.length - 1) * share;
  const below = Math.floor(position);
  const above = Math.ceil(position);
  return sorted[below] + (sorted[above] - sorted[below]) * (position - below);
}

/**
 * The median of the ratios round by round, with their quartiles. A round's two values were taken within a second or
 * two, so that what slowed the machine in one slowed both. `values[round]` is a hole where a client had no turn.
 */
export function medianRatio(values, baseline) {
  const ratios = values.flatMap((value, round) => value / baseline[round]); // flatMap leaves holes out
  return {
    ratio: quantile(ratios, 0.5),
    quartiles: [quantile(ratios, 0.25), quantile(ratios, 0.75)],
    rounds: ratios.length,
  };
}
