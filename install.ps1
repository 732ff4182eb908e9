<#
.SYNOPSIS
Installs claude-otel on Windows, puts another version in its place, or takes it off again.

.DESCRIPTION
  irm https://github.com/claude-otel/claude-otel/releases/latest/download/install.ps1 | iex
  .\install.ps1 [-Version <version>] [-Dir <folder>] [-Uninstall]

CLAUDE_OTEL_BASE_URL says where releases come from. PATH is never changed: it is said what to add.
#>
[CmdletBinding()]
param(
  [string] $Version = '',
  [string] $Dir = '',
  [switch] $Uninstall
)

# In a block of its own: through a pipe the whole text is parsed before anything runs, and no setting stays behind.
& {
  param([string] $Version, [string] $Dir, [bool] $Uninstall)

  Set-StrictMode -Version Latest
  $ErrorActionPreference = 'Stop'
  # The progress bar makes Invoke-WebRequest of PowerShell 5 many times slower.
  $ProgressPreference = 'SilentlyContinue'
  $releases = 'https://github.com/claude-otel/claude-otel/releases'
  $target = 'windows-x64'

  function Stop-WithReason([string] $Reason, [string] $Hint = 'nothing was changed') {
    throw "claude-otel: $Reason`n  $Hint"
  }

  function Get-File([string] $Url, [string] $Path, [string] $Missing) {
    try {
      Invoke-WebRequest -UseBasicParsing -Uri $Url -OutFile $Path
    } catch {
      $response = if ($_.Exception.PSObject.Properties['Response']) { $_.Exception.Response } else { $null }
      if ($null -ne $response -and [int] $response.StatusCode -eq 404) { Stop-WithReason "there is no $Url" $Missing }
      Stop-WithReason "could not download ${Url}: $($_.Exception.Message)" 'try again: nothing was changed'
    }
  }

  # A program that runs can be renamed, but neither replaced nor removed: what was set aside goes when it can.
  function Remove-Leftovers {
    Get-ChildItem -LiteralPath $Dir -Filter 'claude-otel.exe.old-*' -ErrorAction SilentlyContinue |
      Remove-Item -Force -ErrorAction SilentlyContinue
  }

  function Move-Aside([string] $Program) {
    $aside = "$Program.old-$([guid]::NewGuid().ToString('N'))"
    Move-Item -LiteralPath $Program -Destination $aside
    return $aside
  }

  function Uninstall-Program([string] $Program) {
    if (-not (Test-Path -LiteralPath $Program)) {
      Write-Host "There is no claude-otel in $Dir."
      return
    }
    # A hook that names a program that is gone would fail in every session, and a hub would go on without one.
    try { & $Program hooks remove *> $null; & $Program serve --stop *> $null } catch { }
    Move-Aside $Program | Out-Null
    Remove-Leftovers
    Write-Host "Removed $Program."
    foreach ($folder in @((Join-Path $env:LOCALAPPDATA 'claude-otel'), (Join-Path $env:APPDATA 'claude-otel'))) {
      if (Test-Path -LiteralPath $folder) { Write-Host "Left as it is, yours to remove: $folder" }
    }
  }

  function Find-Archive([string] $Base, [string] $Work) {
    $from = if ($Version) { "download/v$Version" } else { 'latest/download' }
    $list = Join-Path $Work 'SHA256SUMS'
    Get-File "$Base/$from/SHA256SUMS" $list 'no such release is published there'
    foreach ($line in Get-Content -LiteralPath $list) {
      if ($line -cmatch "^([0-9a-f]{64})  (claude-otel-([0-9][0-9A-Za-z.+-]*)-$target\.zip)$") {
        return @{ Sum = $Matches[1]; Name = $Matches[2]; Version = $Matches[3] }
      }
    }
    Stop-WithReason "this release has no build for $target"
  }

  function Install-Program([string] $Base, [string] $Program, [string] $Work) {
    $archive = Find-Archive $Base $Work
    if ($Version -and $archive.Version -ne $Version) { Stop-WithReason "asked for $Version, found $($archive.Version)" }
    $zip = Join-Path $Work $archive.Name
    Write-Host "Downloading claude-otel $($archive.Version) for $target (some 60 MB) ..."
    Get-File "$Base/download/v$($archive.Version)/$($archive.Name)" $zip 'this release is not complete: try again later'
    $actual = (Get-FileHash -LiteralPath $zip -Algorithm SHA256).Hash.ToLowerInvariant()
    if ($actual -ne $archive.Sum) {
      Stop-WithReason "$($archive.Name) is not what was published" "its SHA-256 is $actual, it should be $($archive.Sum)"
    }

    # Unpacked beside its place, so that the last step is a rename.
    New-Item -ItemType Directory -Force -Path $Dir | Out-Null
    $stage = Join-Path $Dir ".claude-otel.$([guid]::NewGuid().ToString('N'))"
    try {
      Expand-Archive -LiteralPath $zip -DestinationPath $stage
      $candidate = Join-Path (Join-Path $stage ($archive.Name -replace '\.zip$', '')) 'claude-otel.exe'
      $told = & $candidate --version
      if ($LASTEXITCODE -ne 0) { Stop-WithReason 'what was built for Windows does not run here' }
      $aside = if (Test-Path -LiteralPath $Program) { Move-Aside $Program } else { $null }
      try {
        Move-Item -LiteralPath $candidate -Destination $Program
      } catch {
        if ($aside) { Move-Item -LiteralPath $aside -Destination $Program }
        throw
      }
    } finally {
      Remove-Item -LiteralPath $stage -Recurse -Force -ErrorAction SilentlyContinue
      Remove-Leftovers
    }
    Write-Host "Installed $told in $Dir."
  }

  function Show-PathAdvice {
    if (($env:PATH -split ';') -contains $Dir) { return }
    Write-Host "$Dir is not in PATH. To have it there for you:"
    Write-Host "  [Environment]::SetEnvironmentVariable('Path', [Environment]::GetEnvironmentVariable('Path', 'User') + ';$Dir', 'User')"
  }

  if ($env:OS -ne 'Windows_NT') { Stop-WithReason 'this script is for Windows' 'elsewhere: install.sh' }
  $Version = $Version -replace '^v', ''
  if ($Version -and $Version -notmatch '^[0-9A-Za-z.+-]+$') { Stop-WithReason "'$Version' is no version" 'versions are like 0.1.0' }
  if (-not $Dir) { $Dir = Join-Path $env:LOCALAPPDATA 'Programs\claude-otel' }
  $Dir = [IO.Path]::GetFullPath([IO.Path]::Combine((Get-Location).ProviderPath, $Dir))
  $program = Join-Path $Dir 'claude-otel.exe'
  if ($Uninstall) {
    Uninstall-Program $program
    return
  }
  if (-not [Environment]::Is64BitOperatingSystem) { Stop-WithReason 'there is no build for Windows of 32 bits' }

  [Net.ServicePointManager]::SecurityProtocol = [Net.ServicePointManager]::SecurityProtocol -bor [Net.SecurityProtocolType]::Tls12
  $base = if ($env:CLAUDE_OTEL_BASE_URL) { $env:CLAUDE_OTEL_BASE_URL.TrimEnd('/') } else { $releases }
  $work = Join-Path ([IO.Path]::GetTempPath()) "claude-otel-$([guid]::NewGuid().ToString('N'))"
  New-Item -ItemType Directory -Path $work | Out-Null
  try {
    Install-Program $base $program $work
  } finally {
    Remove-Item -LiteralPath $work -Recurse -Force -ErrorAction SilentlyContinue
  }
  Show-PathAdvice
} $Version $Dir $Uninstall.IsPresent
