export function startHistogram() {}
