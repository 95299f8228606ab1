package web

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/test/suite"
)

type sharedList struct {
	ID      string
	Name    string
	Color   *string
	Group   *string
	Members []struct {
		UserID *string `json:"user_id"`
		Email  string
		Role   string
		State  string
	}
}

func listOf(t *testing.T, c *suite.Client, id string) sharedList {
	t.Helper()
	return ask[sharedList](t, c, http.MethodGet, "/api/lists/"+id, nil)
}

func idOf(t *testing.T, c *suite.Client) string {
	t.Helper()
	return ask[thing](t, c, http.MethodGet, "/api/auth/me", nil).ID
}

// Two people, each at a page of his own, and a list that one of them has.
func TestAListIsShared(t *testing.T) {
	owner, guest := newUser(t), newUser(t)
	list := ask[thing](t, owner, http.MethodPost, "/api/lists", object{"name": "Garden"})
	create(t, owner, object{"title": "Dig", "list_id": list.ID})
	b := signIn(t, owner)
	b.agree()
	b.click("link", "Garden 1 open task")
	b.click("button", "Members (1)")
	b.see("dialog", "Members of Garden")

	// One who is asked by mistake, and the last owner, who does not go.
	b.fill("textbox", "Invite by e-mail address", "nobody@example.org")
	b.click("button", "Invite")
	b.click("button", "Take back: nobody@example.org")
	b.gone("button", "Take back: nobody@example.org")
	require.Len(t, listOf(t, owner, list.ID).Members, 1)
	b.click("button", "Leave")
	b.see("alert", "")
	require.Len(t, listOf(t, owner, list.ID).Members, 1)

	b.fill("textbox", "Invite by e-mail address", guest.Email)
	b.set("invite-role", "viewer")
	b.click("button", "Invite")
	b.see("button", "Take back: "+guest.Email)

	g := signIn(t, guest)
	g.agree()
	g.see("region", "Invitations")
	g.click("button", "Accept: Garden")
	g.see("heading", "Garden")
	g.see("button", "Dig")
	g.gone("textbox", "Add a task to Garden")
	g.gone("region", "Invitations")

	// The owner sees it at once, and gives another role, which counts at once.
	b.see("combobox", "Role of "+guest.Email)
	b.set("role-"+idOf(t, guest), "editor")
	g.see("textbox", "Add a task to Garden")
	g.click("button", "Members (2)")
	g.reads(owner.Email)
	g.gone("textbox", "Invite by e-mail address")
	g.press("\x1b")
	g.add("Add a task to Garden", "Sow")

	// Taken out, also from where he is at work.
	g.click("button", "Dig")
	g.fill("textbox", "Description", "Not yet saved")
	b.click("button", "Remove: "+guest.Email)
	b.gone("button", "Remove: "+guest.Email)
	g.reads("This task is not there any more.")
	g.press("\x1b")
	g.see("heading", "Today")
	g.gone("link", "Garden 2 open tasks")
	require.Empty(t, evaluate[[]string](g, `[...document.querySelectorAll("[data-task]")].map((row) => row.innerText)`))
}

// Invitations are there when somebody looks at the page again, and go as he answers.
func TestInvitationsAreAnswered(t *testing.T) {
	owner, guest := newUser(t), newUser(t)
	g := signIn(t, guest)
	g.agree()
	lists := map[string]string{}
	for _, name := range []string{"Cellar", "Attic", "Yard"} {
		list := ask[thing](t, owner, http.MethodPost, "/api/lists", object{"name": name})
		invitation := ask[thing](t, owner, http.MethodPost, "/api/lists/"+list.ID+"/members", object{"email": guest.Email, "role": "editor"})
		lists[name] = list.ID
		if name == "Yard" {
			g.again()
			g.see("button", "Accept: Yard")
			ask[any](t, owner, http.MethodDelete, "/api/invitations/"+invitation.ID, nil)
		}
	}
	g.click("button", "Accept: Yard") // it was taken back a moment ago
	g.gone("button", "Accept: Yard")
	g.click("button", "Decline: Cellar")
	g.gone("button", "Decline: Cellar")
	require.Len(t, listOf(t, owner, lists["Cellar"]).Members, 1)
	g.click("button", "Accept: Attic")
	g.see("heading", "Attic")
	g.click("button", "Members (2)")
	g.click("button", "Leave")
	g.see("heading", "Today")
	g.reads("You have left Attic")
	g.gone("link", "Attic")
	require.Len(t, listOf(t, owner, lists["Attic"]).Members, 1)
}

// again is as if somebody came back to the page from another window.
func (b *tab) again() {
	b.t.Helper()
	evaluate[bool](b, `dispatchEvent(new Event("focus"))`)
}

// order is that of the lists in the sidebar, with the groups.
func (b *tab) order(want ...string) {
	b.t.Helper()
	b.eventually(func() error {
		got := evaluate[[]string](b, `[...document.querySelectorAll("nav h3, nav a[href^='#/list/']")].map((e) => e.querySelector("span[dir]")?.textContent ?? e.textContent)`)
		if fmt.Sprint(got) != fmt.Sprint(want) {
			return fmt.Errorf("the lists are %v, not %v", got, want)
		}
		return nil
	})
}

func TestListsAreKeptInOrder(t *testing.T) {
	c := newUser(t)
	ids := map[string]string{}
	for _, name := range []string{"One", "Two", "Three"} {
		ids[name] = ask[thing](t, c, http.MethodPost, "/api/lists", object{"name": name}).ID
	}
	b := signIn(t, c)
	b.order("One", "Two", "Three")
	evaluate[bool](b, `document.querySelector("a[href='#/list/`+ids["Three"]+`']").focus(), true`)
	b.press(kb.ArrowUp, chromedp.ModifierAlt)
	b.order("One", "Three", "Two")
	focused := func() {
		t.Helper()
		b.eventually(func() error {
			if at := evaluate[string](b, `document.activeElement.hash ?? ""`); at != "#/list/"+ids["Three"] {
				return fmt.Errorf("the focus is at %q", at)
			}
			return nil
		})
	}
	focused()
	b.press(kb.ArrowUp, chromedp.ModifierAlt)
	b.order("Three", "One", "Two")
	focused()
	b.press(kb.ArrowDown, chromedp.ModifierAlt)
	b.order("One", "Three", "Two")

	b.click("link", "Two")
	b.click("button", "List settings")
	b.click("button", "Move up")
	b.order("One", "Two", "Three")
	b.fill("textbox", "Name of the list", "Second")
	b.click("checkbox", "Has a color")
	b.set("list-color", "#a4262c")
	b.fill("combobox", "Group (optional)", "Work")
	b.click("button", "Save")
	b.gone("dialog", "List settings")
	b.order("One", "Three", "Work", "Second")
	require.Equal(t, "rgb(164, 38, 44)", evaluate[string](b, `getComputedStyle(document.querySelector(".dot")).backgroundColor`))
	second := listOf(t, c, ids["Two"])
	require.Equal(t, []string{"Second", "#a4262c", "Work"}, []string{second.Name, *second.Color, *second.Group})

	// Put away, and there all the same.
	b.click("button", "List settings")
	b.click("checkbox", "Archived: put away for all its members")
	b.click("button", "Save")
	b.see("heading", "Second")
	b.order("One", "Three", "Second")
	b.click("link", "Today")
	b.see("heading", "Today")
	evaluate[bool](b, `document.querySelector("nav details").open = true`)
	b.click("link", "Second")
	b.reads("archived")
	b.click("button", "List settings")
	b.click("checkbox", "Archived: put away for all its members")
	b.click("button", "Save")
	b.order("One", "Three", "Work", "Second")

	// Under what a list is kept is for who does not own it, too.
	owner := newUser(t)
	theirs := ask[thing](t, owner, http.MethodPost, "/api/lists", object{"name": "Theirs"})
	invitation := ask[thing](t, owner, http.MethodPost, "/api/lists/"+theirs.ID+"/members", object{"email": c.Email, "role": "viewer"})
	ask[any](t, c, http.MethodPost, "/api/invitations/"+invitation.ID+"/accept", nil)
	b.click("link", "Theirs")
	b.click("button", "List settings")
	b.fill("combobox", "Group (optional)", "Work")
	b.click("button", "Save")
	b.order("One", "Three", "Work", "Second", "Theirs")
	require.Nil(t, listOf(t, owner, theirs.ID).Group)
}

func TestMembersAreAccessible(t *testing.T) {
	owner, c := newUser(t), newUser(t)
	for _, name := range []string{"Theirs", "مشترك"} {
		list := ask[thing](t, owner, http.MethodPost, "/api/lists", object{"name": name})
		ask[any](t, owner, http.MethodPost, "/api/lists/"+list.ID+"/members", object{"email": c.Email, "role": "owner"})
	}
	b := signIn(t, c)
	b.narrow()
	b.see("button", "Accept: Theirs")
	b.seemly("invitations")
	b.click("button", "Accept: Theirs")
	b.click("button", "Members (2)")
	b.fill("textbox", "Invite by e-mail address", "nobody@example.org")
	b.click("button", "Invite")
	b.see("button", "Take back: nobody@example.org")
	b.seemly("members")
	b.press("\x1b")
	b.click("button", "List settings")
	b.click("checkbox", "Has a color")
	b.seemly("the settings of a list")
	b.fill("combobox", "Group (optional)", "Work")
	b.click("button", "Save")
	b.gone("dialog", "List settings")
	b.click("button", "Menu")
	b.see("heading", "Work")
	b.seemly("the lists by group")
}
