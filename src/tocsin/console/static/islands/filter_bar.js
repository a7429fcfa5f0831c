export function startFilterBar() {}
