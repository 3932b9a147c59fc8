package cli

import (
	"cmp"
	"fmt"
	"reflect"

	"github.com/alecthomas/kong"

	"belfry/config"
)

// settingsGroup sets the flags of the settings apart from those of a command.
const settingsGroup = "Settings (flag, else environment, else default):"

// settingFlags gives every command a flag for each setting.
type settingFlags struct {
	options []config.Option
	values  reflect.Value // a pointer to a struct with a *string for each option, nil when not given
}

// newSettingFlags builds the struct that kong wants from the table of the settings, so that no flag can
// be forgotten.
func newSettingFlags() *settingFlags {
	options := config.Options()
	fields := make([]reflect.StructField, len(options))
	for i, o := range options {
		help := o.Help
		if o.Empty != "" {
			help += "; when empty: " + o.Empty
		}
		if o.Secret { // a flag is seen by every user of the machine
			help += "; secret, so rather " + o.Env() + "_FILE"
		}
		tag := fmt.Sprintf("name:%q group:%q placeholder:%q help:%q", o.Flag(), settingsGroup, cmp.Or(o.Default, "…"), help)
		fields[i] = reflect.StructField{Name: o.Name, Type: reflect.TypeFor[*string](), Tag: reflect.StructTag(tag)}
	}
	return &settingFlags{options, reflect.New(reflect.StructOf(fields))}
}

func (f *settingFlags) fields() any { return f.values.Interface() }

// given lists the flags that were set, by the names of their settings.
func (f *settingFlags) given() map[string]string {
	values := map[string]string{}
	for i, o := range f.options {
		if value, _ := f.values.Elem().Field(i).Interface().(*string); value != nil {
			values[o.Name] = *value
		}
	}
	return values
}

// printHelp shows the settings with the server alone. They are flags of every command, but there are so
// many that they would bury the few that belong to it.
func printHelp(options kong.HelpOptions, ctx *kong.Context) error {
	if selected := ctx.Selected(); selected == nil || selected.Name != "serve" {
		for _, flag := range ctx.Model.Flags {
			if flag.Group != nil && flag.Group.Key == settingsGroup {
				flag.Hidden = true
			}
		}
	}
	return kong.DefaultHelpPrinter(options, ctx)
}
