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
 *
 * Where new processes came every `perLap` rounds, the standard error is told by how far the laps' medians lie apart.
 */
export function medianRatio(values, baseline, perLap) {
  const ratios = values.flatMap((value, round) => value / baseline[round]); // flatMap leaves holes out
  return {
    ratio: quantile(ratios, 0.5),
    quartiles: [quantile(ratios, 0.25), quantile(ratios, 0.75)],
    rounds: ratios.length,
    ...(perLap !== undefined && ratios.length > perLap && { error: errorOfLaps(ratios, perLap) }),
  };
}

function errorOfLaps(ratios, perLap) {
  const medians = [];
  for (let start = 0; start < ratios.length; start += perLap) {
    medians.push(quantile(ratios.slice(start, start + perLap), 0.5));
  }
  const mean = medians.reduce((sum, median) => sum + median, 0) / medians.length;
  const squares = medians.reduce((sum, median) => sum + (median - mean) ** 2, 0);
  return Math.sqrt(squares / (medians.length - 1) / medians.length);
}
