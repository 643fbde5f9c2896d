// A method's arguments, by position or by name, as its parameters ask for them.

package driver

import (
	"encoding/json"
	"slices"
	"strings"
)

// arguments are read by name; the first that will not do is the error.
type arguments struct {
	values fields
	err    error
}

// bind puts each argument to its parameter.
func bind(name string, method method, command fields) (*arguments, error) {
	var positional []json.RawMessage
	if _, err := command.read("args", "a list", &positional); err != nil {
		return nil, err
	}
	named := fields{}
	if _, err := command.read("kwargs", "an object", &named); err != nil {
		return nil, err
	}
	if len(positional) > len(method.parameters) {
		return nil, badInput("%s takes %d arguments, not %d", name, len(method.parameters), len(positional))
	}
	bound := fields{}
	for n, parameter := range method.parameters {
		parameter, optional := strings.CutSuffix(parameter, "?")
		value, isNamed := named[parameter]
		delete(named, parameter)
		switch {
		case n < len(positional) && isNamed:
			return nil, badInput("%s has two values for %s", name, parameter)
		case n < len(positional):
			bound[parameter] = positional[n]
		case isNamed:
			bound[parameter] = value
		case !optional:
			return nil, badInput("%s misses its argument %s", name, parameter)
		}
	}
	for option, value := range named {
		if option != "timeout" && !slices.Contains(method.options, option) {
			return nil, badInput("%s has no argument %s", name, option)
		}
		bound[option] = value
	}
	return &arguments{values: bound}, nil
}

func (a *arguments) read(name, kind string, into any) bool {
	there, err := a.values.read(name, kind, into)
	if a.err == nil {
		a.err = err
	}
	return there && err == nil
}

func (a *arguments) require(name string, there bool) {
	if !there && a.err == nil {
		a.err = badInput("%s is required", name)
	}
}

func (a *arguments) text(name string) string {
	var text string
	a.require(name, a.read(name, "a string", &text))
	return text
}

func (a *arguments) optionalText(name string) string {
	var text string
	a.read(name, "a string", &text)
	return text
}

func (a *arguments) number(name string) float64 {
	number := a.optionalNumber(name)
	a.require(name, number != nil)
	if number == nil {
		return 0
	}
	return *number
}

func (a *arguments) optionalNumber(name string) *float64 {
	var number float64
	if !a.read(name, "a number", &number) {
		return nil
	}
	return &number
}

func (a *arguments) flag(name string) bool {
	var flag bool
	a.read(name, "true or false", &flag)
	return flag
}

// amount is the digits of a number or of a string, as they were given.
func (a *arguments) amount(name string) string {
	var value any
	a.require(name, a.read(name, "an amount", &value))
	switch value := value.(type) {
	case json.Number:
		return value.String()
	case string:
		return value
	default:
		if a.err == nil {
			a.err = badInput("%s is neither a number nor a string", name)
		}
		return ""
	}
}
