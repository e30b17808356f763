// Runs before the first paint: a chosen theme shall not flash up in the other one.
try {
  const theme = localStorage.getItem("windlass:theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
} catch {
  // No storage: the system's theme it is.
}
