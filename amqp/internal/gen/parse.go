package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Spec is a parsed definition file.
type Spec struct {
	Classes    []*Class
	ReplyCodes []ReplyCode
}

// Class is a class with its methods in order of appearance.
type Class struct {
	Name    string
	ID      uint16
	Methods []*Method
}

// Method is one method; its fields are in wire order.
type Method struct {
	Class       *Class
	Name        string
	ID          uint16
	From        string // client, server or both
	Content     bool   // a content header and body follow
	Description string
	Fields      []Field
}

// Field is one argument of a method.
type Field struct{ Type, Name string }

// ReplyCode is a reply code; Kind is soft, hard or "-".
type ReplyCode struct {
	Code uint16
	Name string
	Kind string
}

// parse reads a definition file. It refuses what would generate code that compiles but is wrong: unknown types,
// fields outside a method, ids and names used twice.
func parse(text string) (*Spec, error) {
	p := parser{spec: new(Spec)}
	n := 0
	for line := range strings.Lines(text) {
		n++
		words := strings.Fields(line)
		if len(words) == 0 || strings.HasPrefix(words[0], "#") {
			continue
		}
		if err := p.line(words); err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
	}
	return p.spec, nil
}

type parser struct {
	spec   *Spec
	class  *Class
	method *Method
}

func (p *parser) line(words []string) error {
	switch words[0] {
	case "reply-code":
		return p.replyCode(words[1:])
	case "class":
		return p.newClass(words[1:])
	case "method":
		return p.newMethod(words[1:])
	default:
		return p.field(words)
	}
}

func (p *parser) replyCode(words []string) error {
	if len(words) != 3 || !slices.Contains([]string{"soft", "hard", "-"}, words[2]) {
		return fmt.Errorf("want: reply-code CODE NAME soft|hard|-")
	}
	code, err := number(words[0])
	if err != nil {
		return err
	}
	p.spec.ReplyCodes = append(p.spec.ReplyCodes, ReplyCode{code, words[1], words[2]})
	return nil
}

func (p *parser) newClass(words []string) error {
	if len(words) != 2 {
		return fmt.Errorf("want: class NAME ID")
	}
	id, err := number(words[1])
	if err != nil {
		return err
	}
	for _, c := range p.spec.Classes {
		if c.ID == id || c.Name == words[0] {
			return fmt.Errorf("class %s %d: id or name used twice", words[0], id)
		}
	}
	p.class, p.method = &Class{Name: words[0], ID: id}, nil
	p.spec.Classes = append(p.spec.Classes, p.class)
	return nil
}

func (p *parser) newMethod(words []string) error {
	if p.class == nil || len(words) < 4 || !slices.Contains([]string{"client", "server", "both"}, words[2]) {
		return fmt.Errorf("want, within a class: method NAME ID client|server|both [content] DESCRIPTION")
	}
	id, err := number(words[1])
	if err != nil {
		return err
	}
	for _, m := range p.class.Methods {
		if m.ID == id || m.Name == words[0] {
			return fmt.Errorf("method %s.%s %d: id or name used twice", p.class.Name, words[0], id)
		}
	}
	m := &Method{Class: p.class, Name: words[0], ID: id, From: words[2]}
	words = words[3:]
	if words[0] == "content" {
		m.Content, words = true, words[1:]
	}
	m.Description = strings.Join(words, " ")
	p.method = m
	p.class.Methods = append(p.class.Methods, m)
	return nil
}

func (p *parser) field(words []string) error {
	if p.method == nil || len(words) != 2 {
		return fmt.Errorf("want, within a method: TYPE FIELD")
	}
	if _, known := goTypes[words[0]]; !known {
		return fmt.Errorf("unknown type %q", words[0])
	}
	for _, f := range p.method.Fields {
		if f.Name == words[1] {
			return fmt.Errorf("field %q used twice", words[1])
		}
	}
	p.method.Fields = append(p.method.Fields, Field{words[0], words[1]})
	return nil
}

func number(s string) (uint16, error) {
	n, err := strconv.ParseUint(s, 10, 16)
	return uint16(n), err
}
