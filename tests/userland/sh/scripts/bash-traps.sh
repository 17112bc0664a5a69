#: ERR
trap 'echo ERR $? $BASH_COMMAND $LINENO' ERR; false; (exit 3); f() { false; return 4; }; f; false | true; true | false; [[ a == b ]]; ((0)); ! true; if false; then :; fi; false || true; { false; }; x=$(false); while false; do :; done; trap - ERR; false; echo end
#: ERR in functions needs errtrace
trap 'echo ERR $BASH_COMMAND' ERR; f() { false; true; }; f; set -E; f; (false); y=$(false; true); echo end
#: ERR and errexit
set -e; trap 'echo failed $?' ERR; trap 'echo bye $?' EXIT; echo start; f() { return 7; }; f; echo no
#: DEBUG
trap 'echo DBG $BASH_COMMAND' DEBUG; for i in 1 2; do echo $i; done; f() { echo in; }; f; case a in a) :;; esac; [[ a == a ]]; ((1)); x=1; for ((j=0;j<1;j++)); do :; done; if true; then echo b; fi
#: RETURN
trap 'echo RET ${FUNCNAME[0]}' RETURN; f() { echo in; }; f; set -T; f; g() { trap 'echo RG' RETURN; echo g; }; set +T; trap - RETURN; g
#: trap -p
trap 'echo a' INT EXIT 15 ERR; trap -p; trap -p INT; trap '' INT; trap -p SIGINT; trap - INT ERR TERM; trap; (trap); trap - EXIT
#: set -e
set -e; f() { false; echo no; }; f || echo caught; ! false; false && true; x=$(false) || echo sub; if f; then echo yes; fi; (set +e; false; echo in); { false || true; }; echo ok; f; echo never
#: errexit in substitutions
set -e; x=$(false; echo kept); echo $x; shopt -s inherit_errexit; echo $(false) after; local_() { local y=$(false); echo still; }; local_; z=$(exit 5); echo no
#: pipefail and PIPESTATUS
true | false | true; echo ${PIPESTATUS[@]} $?; set -o pipefail; true | (exit 3) | true; echo $? ${PIPESTATUS[1]}; (exit 3); echo ${PIPESTATUS[0]}; ! true | false; echo $? ${PIPESTATUS[@]}; x=$(exit 4); echo ${PIPESTATUS[@]}
#: nounset
set -u; a=(); echo "${a[@]}" ${#a[@]}; echo ${x-d} ${x:+s}; (echo $x) 2>/dev/null; echo $?; (echo ${a[3]}) 2>/dev/null; echo $?; y=; echo "$y"; echo $1
#: noclobber
set -C; echo a > f; echo b > f 2>/dev/null || echo no; echo c >| f; cat f; echo d >> f; wc -l < f
#: errors go on with the next line
echo $((1/0)); echo same
echo after; echo ${x!y}; echo same
readonly r=1; r=2; echo same
(echo $((1/0)); echo in subshell); echo $?
eval 'echo $((1/0)); echo same'; echo behind eval
echo last
#: statuses
nosuch_command; echo $?; ./nosuch; echo $?; touch plain; ./plain; echo $?; mkdir d; ./d; echo $?; f() { return 300; }; f; echo $?; (exit 256); echo $?; return 3; echo $?; eval 'if'; echo $?; . ./nosuch; echo $?; echo x > /nosuch/y; echo $?; { echo x; } > /nosuch/y; echo $?; for i in 1; do :; done < nosuch; echo $?; : > /nosuch/z; echo $?; test 1 2 3; echo $?; [ a -eq 1 ]; echo $?; shift 5; echo $?; cd /nosuch; echo $?; builtin nosuch; echo $?; [[ a =~ [ ]]; echo $?
