// Package apicheck lists what a Go package exports, one declaration a line, so that a test can compare the list
// with docs/reference/go-api.txt.
package apicheck

import (
	"fmt"
	"go/constant"
	"go/types"
	"strings"
	"time"
)

// List returns the exported declarations of a package: constants with their values, variables, functions, and
// types with their exported fields and methods, each group in alphabetical order, fields as they are declared.
// Names of parameters are left out, since callers do not depend on them.
func List(p *types.Package) []string {
	l := lister{p: p}
	for _, kind := range []func(types.Object){l.constant, l.variable, l.function, l.typeName} {
		for _, name := range p.Scope().Names() { // sorted
			if o := p.Scope().Lookup(name); o.Exported() {
				kind(o)
			}
		}
	}
	return l.lines
}

// lister collects the lines of one package.
type lister struct {
	p     *types.Package
	lines []string
}

func (l *lister) add(format string, args ...any) {
	l.lines = append(l.lines, fmt.Sprintf(format, args...))
}

// text returns a type as the package itself writes it, but without names of parameters.
func (l *lister) text(t types.Type) string {
	if s, ok := t.(*types.Signature); ok {
		t = withoutNames(s)
	}
	return types.TypeString(t, l.qualifier)
}

// qualifier names packages as code does, but internal ones by their path, so that a test finds them.
func (l *lister) qualifier(p *types.Package) string {
	switch {
	case p == l.p:
		return ""
	case strings.Contains(p.Path(), "/internal/"):
		return p.Path()
	}
	return p.Name()
}

// signature returns the parameters and results of a function.
func (l *lister) signature(o types.Object) string {
	return strings.TrimPrefix(l.text(o.Type()), "func")
}

func (l *lister) constant(o types.Object) {
	c, ok := o.(*types.Const)
	if !ok {
		return
	}
	value := c.Val().ExactString()
	if n, exact := constant.Int64Val(constant.ToInt(c.Val())); exact && types.TypeString(c.Type(), nil) == "time.Duration" {
		value = time.Duration(n).String()
	}
	l.add("const %s %s = %s", c.Name(), l.text(c.Type()), value)
}

func (l *lister) variable(o types.Object) {
	if _, ok := o.(*types.Var); ok {
		l.add("var %s %s", o.Name(), l.text(o.Type()))
	}
}

func (l *lister) function(o types.Object) {
	if _, ok := o.(*types.Func); ok {
		l.add("func %s%s", o.Name(), l.signature(o))
	}
}

func (l *lister) typeName(o types.Object) {
	name, ok := o.(*types.TypeName)
	if !ok {
		return
	}
	if name.IsAlias() {
		l.add("type %s = %s", name.Name(), l.text(types.Unalias(name.Type())))
		return
	}
	switch u := name.Type().Underlying().(type) {
	case *types.Struct:
		l.add("type %s struct", name.Name())
		l.fields(name.Name(), u)
	case *types.Interface:
		l.add("type %s interface", name.Name())
		for m := range u.Methods() { // sorted
			if m.Exported() {
				l.add("type %s interface, %s%s", name.Name(), m.Name(), l.signature(m))
			} else {
				l.add("type %s interface, unexported methods", name.Name())
			}
		}
		return // the methods of an interface are its methods
	default:
		l.add("type %s %s", name.Name(), l.text(u))
	}
	l.methods(name)
}

// fields lists the exported fields. That there are others is listed too: a literal without field names is valid only
// while there are none.
func (l *lister) fields(name string, s *types.Struct) {
	unexported := false
	for f := range s.Fields() {
		switch {
		case !f.Exported():
			unexported = true
		case f.Embedded():
			l.add("type %s struct, embeds %s", name, l.text(f.Type()))
		default:
			l.add("type %s struct, %s %s", name, f.Name(), l.text(f.Type()))
		}
	}
	if unexported {
		l.add("type %s struct, unexported fields", name)
	}
}

// methods lists the exported methods, without those of exported embedded fields.
func (l *lister) methods(name *types.TypeName) {
	onValue := types.NewMethodSet(name.Type())
	for m := range types.NewMethodSet(types.NewPointer(name.Type())).Methods() { // sorted
		o := m.Obj()
		if !o.Exported() || isPromoted(name.Type(), m) {
			continue
		}
		receiver := "*" + name.Name()
		if onValue.Lookup(o.Pkg(), o.Name()) != nil {
			receiver = name.Name()
		}
		l.add("method (%s) %s%s", receiver, o.Name(), l.signature(o))
	}
}

// isPromoted reports whether a method of a type comes from an exported embedded field.
func isPromoted(t types.Type, m *types.Selection) bool {
	s, ok := t.Underlying().(*types.Struct)
	return ok && len(m.Index()) > 1 && s.Field(m.Index()[0]).Exported()
}

// withoutNames returns a signature without names of parameters and results, also in those that are functions.
func withoutNames(s *types.Signature) *types.Signature {
	return types.NewSignatureType(nil, nil, nil, tuple(s.Params()), tuple(s.Results()), s.Variadic())
}

func tuple(named *types.Tuple) *types.Tuple {
	var vars []*types.Var
	for v := range named.Variables() {
		t := v.Type()
		if s, ok := t.(*types.Signature); ok {
			t = withoutNames(s)
		}
		vars = append(vars, types.NewParam(v.Pos(), v.Pkg(), "", t))
	}
	return types.NewTuple(vars...)
}
