# fish: mono-demo completions fish | source
function __mono_demo_complete
    set -l words (commandline --tokenize --cut-at-cursor --current-process)
    set -l last (commandline --current-token --cut-at-cursor)
    set -l found (mono-demo complete -- $words[2..] "$last" 2>/dev/null)
    if set -q found[1]
        printf '%s\n' $found
    else
        __fish_complete_path "$last"
    end
end
complete --command mono-demo --no-files --arguments '(__mono_demo_complete)'
