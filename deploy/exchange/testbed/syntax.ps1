# syntax.ps1 FILE...
# Prints, for each file, what PowerShell's own parser finds in it, as one JSON list:
# errors; the functions that it defines; the commands that it calls, with their
# parameters; the types that it names; the members that it uses, those of a type as
# TYPE::NAME, others as .NAME; and the kinds of its tokens.
function Get-Facts([string] $File) {
    $tokens = $null
    $errors = $null
    $tree = [System.Management.Automation.Language.Parser]::ParseFile($File, [ref] $tokens, [ref] $errors)
    $all = { param($Kind) $tree.FindAll({ $args[0].GetType().Name -eq $Kind }.GetNewClosure(), $true) }
    $types = @(& $all 'TypeConstraintAst') + @(& $all 'TypeExpressionAst') + @(& $all 'AttributeAst') | ForEach-Object { $_.TypeName.FullName }
    # Types that New-Object is given by name.
    $new = & $all 'CommandAst' | Where-Object { $_.GetCommandName() -eq 'New-Object' } | ForEach-Object {
        $names = $_.CommandElements | Where-Object { $_ -is [System.Management.Automation.Language.StringConstantExpressionAst] }
        @($names)[1].Value
    }
    $members = @(& $all 'MemberExpressionAst') + @(& $all 'InvokeMemberExpressionAst') | ForEach-Object {
        if ($_.Static -and $_.Expression -is [System.Management.Automation.Language.TypeExpressionAst]) { "$($_.Expression.TypeName.FullName)::$($_.Member)" }
        else { ".$($_.Member)" }
    }
    [ordered]@{
        file      = $File
        errors    = @($errors | ForEach-Object { "line $($_.Extent.StartLineNumber): $($_.Message)" })
        functions = @(& $all 'FunctionDefinitionAst' | ForEach-Object { $_.Name })
        commands  = @(& $all 'CommandAst' | ForEach-Object {
                $literal = { param($Element) if ($Element -is [System.Management.Automation.Language.StringConstantExpressionAst]) { $Element.Value } else { '' } }
                [ordered]@{
                    name       = [string] $_.GetCommandName()
                    line       = $_.Extent.StartLineNumber
                    parameters = @($_.CommandElements | Where-Object { $_ -is [System.Management.Automation.Language.CommandParameterAst] } | ForEach-Object { $_.ParameterName })
                    first      = [string] (& $literal $_.CommandElements[1])
                    how        = [string] $_.InvocationOperator
                }
            })
        types     = @($types) + @($new) | Where-Object { $_ } | Sort-Object -Unique
        members   = @($members | Sort-Object -Unique)
        tokens    = @($tokens | ForEach-Object { [string] $_.Kind } | Sort-Object -Unique)
        texts     = @(& $all 'ExpandableStringExpressionAst' | ForEach-Object { $_.Extent.Text })
    }
}
ConvertTo-Json -Depth 6 -Compress -InputObject @($args | ForEach-Object { Get-Facts $_ })
