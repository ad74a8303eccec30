package presence

import (
	"errors"
	"strings"
	"testing"
)

func TestServiceRejectsUserThatNewUserWouldNotMake(t *testing.T) {
	service := NewService(unreachable{t})
	for _, c := range []struct {
		user User
		want error
	}{
		{User{}, ErrUserIDInvalid},
		{User{Name: "Alice"}, ErrUserIDInvalid},
		{User{ID: "a\nb", Name: "Alice"}, ErrUserIDInvalid},
		{User{ID: "a\x00", Name: "Alice"}, ErrUserIDInvalid},
		{User{ID: "a\u202eb", Name: "Alice"}, ErrUserIDInvalid},
		{User{ID: "a\xffb", Name: "Alice"}, ErrUserIDInvalid},
		{User{ID: UserID(strings.Repeat("x", MaxUserID+1)), Name: "Alice"}, ErrUserIDInvalid},
		{User{ID: "visitor-7", Name: "Alice"}, ErrUserIDInvalid},
		{User{ID: "7", Name: "Alice", Visitor: true}, ErrUserIDInvalid},
		{User{ID: "7"}, ErrUsernameInvalid},
		{User{ID: "7", Name: "Alice\nlevel=ERROR"}, ErrUsernameInvalid},
		{User{ID: "7", Name: "Al\u202eice"}, ErrUsernameInvalid},
		{User{ID: "7", Name: "Alice "}, ErrUsernameInvalid},
		{User{ID: "7", Name: " Alice"}, ErrUsernameInvalid},
		{User{ID: "7", Name: "Alice  Bonner"}, ErrUsernameInvalid},
		{User{ID: "7", Name: "Émile\tZ"}, ErrUsernameInvalid},
		{User{ID: "7", Name: "\u200dAlice"}, ErrUsernameInvalid},
		{User{ID: "7", Name: "\u3164"}, ErrUsernameInvalid},
		{User{ID: "7", Name: "a\xffb"}, ErrUsernameInvalid},
		{User{ID: "7", Name: strings.Repeat("x", MaxUsername+1)}, ErrUsernameInvalid},
		{User{ID: "7", Name: "e" + strings.Repeat("\u0301", maxUsernameBytes)}, ErrUsernameInvalid},
	} {
		if _, err := service.Update(t.Context(), "p", c.user, Update{}); !errors.Is(err, c.want) {
			t.Errorf("update of %+.60v: %v; want %v", c.user, err, c.want)
		}
		if _, err := service.Leave(t.Context(), "p", c.user, Leave{}); !errors.Is(err, c.want) {
			t.Errorf("leave of %+.60v: %v; want %v", c.user, err, c.want)
		}
	}
}

// validUsers are names of several scripts, as NewUser leaves them.
func validUsers(t testing.TB) (users []User) {
	for _, name := range []string{"Alice", "Alice B. Bonner", "Émile Zola", "王小明", "می\u200cخواهم", "👩🏽‍💻 Ada", "नमस्ते", strings.Repeat("x", 200), "", "<b>\"&'"} {
		for _, id := range []UserID{"7", "auth0|5f", "Ünï"} {
			u, err := NewUser(id, name, false)
			if err != nil {
				t.Fatal(err)
			}
			users = append(users, u)
		}
	}
	visitor, err := NewUser("visitor-7", "Visitor 1000", true)
	if err != nil {
		t.Fatal(err)
	}
	return append(users, visitor)
}

func TestCheckAcceptsWhatNewUserMakesAndAllocatesNothing(t *testing.T) {
	for _, u := range validUsers(t) {
		if err := u.Check(); err != nil {
			t.Errorf("%+v: %v", u, err)
		}
		if n := testing.AllocsPerRun(100, func() { u.Check() }); n > 0 {
			t.Errorf("checking %+v allocates %v times; want 0", u, n)
		}
	}
}

// The fast path of Check must not accept what NewUser would change.
func FuzzCheckAgreesWithNewUser(f *testing.F) {
	for _, u := range validUsers(f) {
		f.Add(string(u.ID), u.Name, u.Visitor)
	}
	f.Add("7", " a  b ", false)
	f.Add("visitor-7", "a", false)
	f.Fuzz(func(t *testing.T, id, name string, visitor bool) {
		u := User{ID: UserID(id), Name: name, Visitor: visitor}
		made, err := NewUser(u.ID, name, visitor)
		if want := err == nil && made == u; (u.Check() == nil) != want {
			t.Errorf("%+v is valid: %v; NewUser makes %+v, %v", u, !want, made, err)
		}
	})
}

func BenchmarkCheck(b *testing.B) {
	for name, u := range map[string]User{"plain": {ID: "1042", Name: "Alice Bonner"}, "other": {ID: "1042", Name: "Émile Zola"}} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				u.Check()
			}
		})
	}
}
