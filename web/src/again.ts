// Loads the page anew where its scripts or styles have not come. While a new version of the
// server is rolled out the page can be of one replica, and what it is made of be asked of
// another one, which has no files of that version. This script has no version: every replica
// has it, of those that are not older than it.
const most = 10; // the first after a second, each later by one more: about a minute, as a rollout

addEventListener("load", () => {
  const { again = 0 } = (history.state ?? {}) as { again?: number };
  if (document.getElementById("app")!.firstChild && getComputedStyle(document.body).getPropertyValue("--back")) {
    if (again > 0) history.replaceState(null, "");
  } else if (again < most) {
    setTimeout(() => {
      history.replaceState({ again: again + 1 }, ""); // lasts for as long as the tab shows this page
      location.reload();
    }, (again + 1) * 1_000);
  }
});
