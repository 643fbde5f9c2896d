#compdef mono-demo
# zsh: source <(mono-demo completions zsh), or this as _mono-demo in a folder of $fpath
_mono-demo() {
    local -a found
    local value help
    while IFS=$'\t' read -r value help; do
        [[ -n "$value" ]] && found+=("${value//:/\\:}:$help")
    done < <("${words[1]}" complete -- "${(@)words[2,CURRENT]}" 2>/dev/null)
    if (( ${#found} )); then
        _describe -t values 'mono-demo' found
    else
        _files
    fi
}
if [[ "${funcstack[1]}" == "_mono-demo" ]]; then
    _mono-demo "$@"
else
    compdef _mono-demo mono-demo
fi
