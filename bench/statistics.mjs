export function quantile(values, share) {
  const sorted = [...values].sort((a, b) => a - b);
  const position = (sorted.length - 1) * share;
  const below = Math.floor(position);
  const above = Math.ceil(position);
  return sorted[below] + (sorted[above] - sorted[below]) * (position - below);
}

export function median(values) {
  return quantile(values, 0.5);
}

/**
 * The ratio of two medians, with the quartiles of the ratios round by round: rounds are pairs (both were taken
 * within a second or two), so that what slowed the machine in one round slowed both.
 */
export function ratioOfMedians(values, baseline) {
  const pairs = values.map((value, round) => value / baseline[round]);
  return {
    ratio: median(values) / median(baseline),
    quartiles: [quantile(pairs, 0.25), quantile(pairs, 0.75)],
    rounds: values.length,
  };
}
