# bash: source <(mono-demo completions bash)
_mono_demo() {
    local words=("${COMP_WORDS[@]:1:COMP_CWORD}") line
    # bash takes `=` and `:` for words of their own; what belongs together is one here.
    local whole="${COMP_LINE:0:COMP_POINT}" last="${COMP_WORDS[COMP_CWORD]}"
    if [[ "$whole" == *=* || "$whole" == *:* ]]; then
        read -r -a words <<< "$whole"
        words=("${words[@]:1}")
        [[ "$whole" == *[[:space:]] ]] && words+=("")
    fi
    [[ "$last" == [=:] ]] && last=""
    COMPREPLY=()
    local typed="${words[-1]}"
    while IFS=$'\t' read -r line _; do
        # Only what follows the last word as bash sees it is put in.
        [[ -n "$line" ]] && COMPREPLY+=("${line#"${typed%"$last"}"}")
    done < <("${COMP_WORDS[0]}" complete -- "${words[@]}" 2>/dev/null)
    # A folder of scenarios goes on.
    [[ ${#COMPREPLY[@]} -eq 1 && "${COMPREPLY[0]}" == */ ]] && compopt -o nospace
    return 0
}
complete -o default -F _mono_demo mono-demo
