package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// completing is the word by which the scripts below ask; it is no command that people see.
const completing = "__complete"

// scripts hook into each shell. They ask the binary itself, so that they need not be renewed with it.
var scripts = map[string]string{
	"bash": `_belfry() {
	local IFS=$'\n'
	COMPREPLY=($(compgen -W "$(belfry __complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)" -- "${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _belfry belfry
`,
	"zsh": `#compdef belfry
_belfry() {
	local -a found
	found=("${(@f)$(belfry __complete "${(@)words[2,CURRENT]}" 2>/dev/null)}")
	if [[ -n "${found[1]}" ]]; then compadd -a found; else _files; fi
}
compdef _belfry belfry
`,
	"fish": `complete -c belfry -a '(belfry __complete (commandline -opc)[2..-1] (commandline -ct) 2>/dev/null)'
`,
}

type completionCmd struct {
	Shell string `arg:"" enum:"bash,zsh,fish" placeholder:"SHELL" help:"bash, zsh or fish."`
}

func (completionCmd) Help() string {
	return `Prints a script that completes commands and flags:

bash: source <(belfry completion bash), in ~/.bashrc

zsh: source <(belfry completion zsh), in ~/.zshrc, after compinit

fish: belfry completion fish > ~/.config/fish/completions/belfry.fish`
}

func (c completionCmd) Run(term *console) error {
	_, err := fmt.Fprint(term.out, scripts[c.Shell])
	return err
}

// complete prints what may stand in place of the last word, a line each.
func complete(term *console, model *kong.Node, words []string) {
	if len(words) == 0 {
		words = []string{""}
	}
	node, last, before := model, words[len(words)-1], ""
	for _, word := range words[:len(words)-1] {
		before = word
		if word == "--" {
			return // what follows belongs to another program
		}
		if child := slices.IndexFunc(node.Children, func(n *kong.Node) bool { return n.Name == word }); child >= 0 {
			node = node.Children[child]
		}
	}
	for _, candidate := range candidates(node, before) {
		if strings.HasPrefix(candidate, last) {
			fmt.Fprintln(term.out, candidate)
		}
	}
}

// candidates are the values of the flag before, where they are known, else the commands and flags of a node. The settings
// are flags of every command, and shown with the server alone, as in the help.
func candidates(node *kong.Node, before string) (words []string) {
	for _, level := range node.AllFlags(true) {
		for _, flag := range level {
			name := "--" + flag.Name
			switch {
			case name == before && flag.Enum != "":
				return flag.EnumSlice()
			case name == before && !flag.IsBool():
				return nil
			case flag.Group == nil || flag.Group.Key != settingsGroup || node.Name == "serve":
				words = append(words, name)
			}
		}
	}
	for _, arg := range node.Positional {
		if arg.Enum != "" {
			words = append(words, arg.EnumSlice()...)
		}
	}
	for _, child := range node.Children {
		words = append(words, child.Name)
	}
	slices.Sort(words)
	return words
}
