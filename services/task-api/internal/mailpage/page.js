"use strict";
const form = document.querySelector("form"), status = document.querySelector("[role=status]");
const token = decodeURIComponent(location.hash.slice(1));
// Not in the history of whoever uses the browser next.
history.replaceState(null, "", location.pathname);
if (!token) {
	form.hidden = true;
	status.textContent = "The link is not whole. Open it once more from the mail.";
}
form.addEventListener("submit", async (event) => {
	event.preventDefault();
	const button = form.querySelector("button");
	button.disabled = true;
	status.textContent = "…";
	try {
		const answer = await fetch(form.dataset.post, {
			method: "POST", headers: { "Content-Type": "application/json" },
			body: JSON.stringify({ ...Object.fromEntries(new FormData(form)), token }),
		});
		if (answer.ok) {
			form.hidden = true;
			status.textContent = form.dataset.done;
			return;
		}
		const problem = await answer.json();
		const [first] = problem.errors ?? [];
		status.textContent = first ? `The ${first.location.replace("body.", "")} ${first.message}.` : problem.detail;
	} catch {
		status.textContent = "It could not be sent. Try again.";
	}
	button.disabled = false;
});
